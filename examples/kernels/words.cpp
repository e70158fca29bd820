// Counts the words of a text in C++: the number of words, and the longest of them. An exception must not leave the kernel, so that
// it becomes a bad row here.
//
//     g++ -O2 -shared -fPIC -I include -o libwords.so examples/kernels/words.cpp
//     pmapgcd --kernel ./libwords.so -k title --append books.csv
#include "pmap_kernel.h"
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>

namespace {

struct Words {
    uint32_t count = 0;
    std::string longest;
};

Words count(const std::string &text) {
    Words words;
    std::istringstream stream(text);
    for (std::string word; stream >> word; words.count++) {
        if (word.size() > words.longest.size()) words.longest = word;
    }
    if (words.count == 0) throw std::invalid_argument("has no word in it");
    return words;
}

uint64_t map(void *, const pmap_batch *batch, pmap_results *results) {
    auto counts = static_cast<uint32_t *>(pmap_result_at(results, 0)->values);
    uint64_t row = 0;
    try {
        for (; row < batch->rows; row++) {
            size_t length;
            const char *text = pmap_text(pmap_column_at(batch, 0), row, &length);
            const Words words = count(std::string(text, length));
            counts[row] = words.count;
            if (!pmap_set_text(pmap_result_at(results, 1), row, words.longest.data(), words.longest.size())) break;
        }
    } catch (const std::exception &error) {
        pmap_say(results->message, results->message_room, error.what());
        results->field = 1;
    }
    return row;
}

}  // namespace

extern "C" const pmap_kernel *pmap_kernel_v1(uint32_t index) {
    static const pmap_kernel kernel = {
        sizeof kernel, PMAP_SELF_CONTAINED, "words", "1.0", "text:u32,text", "words,longest", nullptr, map, nullptr,
    };
    return index == 0 ? &kernel : nullptr;
}
