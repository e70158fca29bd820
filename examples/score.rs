//! A state that each worker opens once: a model, which is read from a file.
//!
//! The model is a line for each word, with its weight. The score of a text is the sum of the weights of its words.
//!
//! `cargo run --release -q --example score -- --model weights.txt --header -k text --append=score reviews.csv`

use pmapgcd::Stateful;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Print the score of the text in each row
#[derive(clap::Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: pmapgcd::Options,

    /// The weights of words: WORD WEIGHT, a line each
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
}

/// The weights of words.
type Model = HashMap<String, f64>;

/// Reads a model. It is of no use if a line of it is wrong.
fn open(file: &Path) -> Result<Model, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let weight = |(line, number): (&str, usize)| {
        let (word, weight) = line.split_once(' ')?;
        let weight = weight.trim().parse().ok().ok_or(number);
        Some(weight.map(|weight| (word.to_lowercase(), weight)))
    };
    let weights = text.lines().zip(1..).filter_map(weight).collect::<Result<_, _>>();
    weights.map_err(|line| format!("{}:{line}: a word and its weight are expected", file.display()))
}

/// The sum of the weights of the words in `text`.
fn score(model: &mut Model, text: String) -> f64 {
    let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    words.filter_map(|word| model.get(&word)).fold(0.0, |sum, weight| sum + weight)
}

pmapgcd::note_closed_streams!();

fn main() -> std::process::ExitCode {
    let Arguments { options, model } = pmapgcd::parse();
    options.run(&Stateful::new(move || open(&model), score).names(["score"]).self_contained())
}
