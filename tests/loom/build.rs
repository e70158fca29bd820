//! Says that the model checker is at work, as `--cfg loom` would.

fn main() {
    println!("cargo::rustc-cfg=loom");
}
