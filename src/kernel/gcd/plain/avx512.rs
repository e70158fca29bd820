//! Builds the index with AVX-512, 64 bytes in one vector. Numbers are decoded as in [`avx2`](super::avx2): a decoder
//! that uses AVX-512 instead takes 17 % longer for rows of two small numbers, and 4 % less for numbers of 19 digits
//! (`cargo bench --bench stages`, Zen 5).

use super::avx2::pair;
use super::walk::{self, Places, WIDTH};
use bytemuck::cast;
use std::arch::x86_64::*;

/// Does what [`super::read_plain`] does.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt,lzcnt")]
pub fn read_plain(text: &[u8], delimiter: u8, limit: usize, rows: &mut Vec<[u64; 2]>) -> usize {
    let index = |bytes: &_, start, places: &mut _| index(bytes, start, places);
    let pair = |a: &_, b: &_, digits| pair(a, b, digits);
    walk::read_plain(text, delimiter, limit, rows, index, pair)
}

/// Writes the offsets of the bytes that are not digits to `places`, as [`walk::read_plain`] requires, and returns their
/// number.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt,lzcnt")]
fn index(bytes: &[u8; WIDTH], start: usize, places: &mut Places) -> usize {
    const EACH: [u8; WIDTH] = {
        let (mut each, mut at) = ([0; WIDTH], 0);
        while at < WIDTH {
            each[at] = at as u8;
            at += 1;
        }
        each
    };
    let values = _mm512_sub_epi8(cast(*bytes), _mm512_set1_epi8(b'0' as i8));
    let others = _mm512_cmpgt_epu8_mask(values, _mm512_set1_epi8(9));
    let found: [__m128i; 4] = cast(_mm512_maskz_compress_epi8(others, cast(EACH)));
    let places: &mut [[u32; 16]; 4] = bytemuck::cast_mut(places);
    let count = others.count_ones() as usize;
    for (places, found) in places.iter_mut().zip(found).take(count.div_ceil(16).max(1)) {
        *places = cast(_mm512_add_epi32(_mm512_cvtepu8_epi32(found), _mm512_set1_epi32(start as i32)));
    }
    count
}
