use super::*;
use crate::cli::{CommandOptions, KernelOptions, Options, PythonOptions};
use clap::Args;
use std::fs;

fn command() -> Command {
    let command = Options::augment_args(Command::new("pmapgcd"));
    PythonOptions::augment_args(CommandOptions::augment_args(KernelOptions::augment_args(command)))
}

/// The answer about the last word, without the descriptions of candidates.
fn answer(shell: &str, words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
    let at = words.len() - 1;
    let answer = Question { command: &command(), shell, words, at }.answer();
    answer.lines().map(|line| line.split('\t').next().unwrap_or_default().to_string() + "\n").collect()
}

#[test]
fn options_and_their_values_are_completed() {
    assert_eq!(answer("fish", &["--execu"]), "\n--executor\n");
    assert_eq!(answer("fish", &["--executor", "th"]), "\nthreads\n");
    assert_eq!(answer("fish", &["--executor=th"]), "\n--executor=threads\n");
    assert_eq!(answer("fish", &["--progress=a"]), "\n--progress=auto\n--progress=always\n");
    assert_eq!(answer("fish", &["--kernel", "hyp"]), "\nhypot\n");
    assert_eq!(answer("fish", &["-d", ""]), "\ntab\nblank\n");
    assert_eq!(answer("fish", &["-dt"]), "\n-dtab\n");
    // Here `--executor` is the value of `-j`, so `th` is a file. Where neither an option nor a value fits, files are
    // offered, unless the word is the value of an option that takes no file.
    assert_eq!(answer("fish", &["-j", "--executor", "th"]), "files \n");
    assert_eq!(answer("fish", &["--append", ""]), "files \n");
    assert_eq!(answer("fish", &["--", "--execu"]), "files \n");
    assert_eq!(answer("fish", &["-o", "x"]), "files \n");
    assert_eq!(answer("fish", &["--output=x"]), "files \n");
    assert_eq!(answer("fish", &["-j", ""]), "\n");
    // In FILE:FUNCTION only the file can be completed.
    assert_eq!(answer("bash", &["--python", "de"]), "files open\n");
    assert_eq!(answer("fish", &["--python=de"]), "files open\n");
    assert_eq!(answer("bash", &["--python", "deg.py:"]), "open\n");
    assert_eq!(answer("bash", &["--kernel", "./lib"]), "files \n");
    assert_eq!(answer("bash", &["--kernel", "./libplain.so:"]), "\n");
}

#[test]
fn names_of_columns_are_those_of_the_file_on_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    };
    let screens = file("screens.csv", "\u{feff}\n name ,width,height,height\n\"a\n\",1,2\n");
    assert_eq!(answer("fish", &[&screens, "-k", ""]), "open\nname\nwidth\n");
    assert_eq!(answer("fish", &[&screens, "-kw"]), "open\n-kwidth\n");
    assert_eq!(answer("fish", &["--header", &screens, "--columns=name,"]), "open\n--columns=name,width\n");
    // The file may come after the columns.
    let words = ["-k", "n", &screens].map(str::to_string).to_vec();
    let question = Question { command: &command(), shell: "zsh", words, at: 1 };
    assert_eq!(question.answer(), "open\nname\tcolumn\n");

    let odd = file("odd.csv", "sep=;\n#x\n2020;\"a,b\";it's 'so'\n");
    let options = ["-d;", "--skip-lines", "1", "--comment=#", &odd, "-k"];
    let words = |last: &'static str| options.iter().copied().chain([last]).collect::<Vec<_>>();
    assert_eq!(answer("fish", &words("")), "open\n\"2020\"\n\"a,b\"\nit's 'so'\n");
    assert_eq!(answer("fish", &words("'\"a,b\",i")), "open\n\"a,b\",it's 'so'\n");
    assert_eq!(answer("bash", &words("i")), "open\nit\\'s\\ \\'so\\'\n");
    assert_eq!(answer("bash", &words("'\"2")), "open\n\"2020\"\n");

    assert_eq!(answer("fish", &["nothing.csv", "-k", ""]), "open\n");
    assert_eq!(answer("fish", &[&file("binary", "\u{0}\u{1}\r\u{2}"), "-k", ""]), "open\n");
    assert_eq!(answer("fish", &[&file("empty", ""), "-k", ""]), "open\n");
}

#[test]
fn the_front_of_a_path_is_expanded_as_shells_do() {
    let home = std::env::var("HOME").unwrap();
    for front in ["~", "$HOME", "${HOME}"] {
        assert_eq!(expanded(&Path::new(front).join("a b.csv")), Some(Path::new(&home).join("a b.csv")), "{front}");
    }
    for path in [
        "a.csv",
        "~",
        "~other/a.csv",
        "$/a.csv",
        "${HOME/a.csv",
        "$(pwd)/a.csv",
        "$NO_SUCH_VARIABLE/a.csv",
        "./~/a.csv",
    ] {
        assert_eq!(expanded(Path::new(path)), None, "{path}");
    }
    // The tests run in the folder of the sources, but $PWD is the folder in which a shell started them. So this is
    // tested only if the example is found there.
    if std::env::var("PWD").is_ok_and(|folder| Path::new(&folder).join("examples/screens.csv").exists()) {
        assert_eq!(answer("bash", &["$PWD/examples/screens.csv", "-k", "wi"]), "open\nwidth\n");
    }
}

#[test]
fn words_of_bash_are_read_and_written() {
    for (word, plain) in [("a\\ b", "a b"), ("'a \\", "a \\"), ("\"a\\\"b\"c", "a\"bc"), ("x'y", "xy"), ("\\", "")] {
        assert_eq!(without_quotes(word), plain);
    }
    for word in ["a b", "it's", "$HOME", "a\"b", "ü,x"] {
        assert_eq!(without_quotes(&escaped(word)), word);
    }
}
