//! The inputs of a fuzz target, without a fuzzer: its seeds, and variations of them by chance that repeats.
//!
//! Part of several test binaries, by its path.

use std::fs;
use std::path::Path;

use fastrand::Rng;

/// Feeds the seeds of `target`, and `count` inputs made of them, to `check`. What makes it panic is told.
pub(crate) fn feed(target: &str, count: usize, check: impl Fn(&[u8])) {
    let seeds = seeds(target);
    let mut rng = Rng::with_seed(0xf0_22ed);
    for seed in &seeds {
        run(seed, &check);
    }
    for _ in 0..count {
        run(&variation(&seeds, &mut rng), &check);
    }
}

fn run(input: &[u8], check: &impl Fn(&[u8])) {
    /// Tells the input when the check panics.
    struct Tell<'a>(&'a [u8]);
    impl Drop for Tell<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                println!("the input was: b\"{}\"", self.0.escape_ascii());
            }
        }
    }
    let _tell = Tell(input);
    check(input);
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the workspace")
        .join("tests/fuzz/seeds")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    // In the same order everywhere, or the same chance would make other inputs.
    files.sort();
    let seeds: Vec<_> = files
        .iter()
        .map(|file| fs::read(file).expect("a seed can be read"))
        .collect();
    assert!(!seeds.is_empty(), "{} has no seeds", folder.display());
    seeds
}

/// One to eight small changes to a seed.
fn variation(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut input = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..rng.usize(1..=8) {
        let at = rng.usize(..=input.len());
        match rng.u8(..7) {
            0 => input.truncate(at),
            1 => input.insert(at, rng.u8(..)),
            2 if at < input.len() => drop(input.remove(at)),
            3 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
            4 if at < input.len() => input[at] = [0, 1, 0x7f, 0x80, 0xff][rng.usize(..5)],
            5 => {
                // A piece of this one once more.
                let end = (at + rng.usize(..16)).min(input.len());
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            _ => {
                // The end of another one.
                let other = &seeds[rng.usize(..seeds.len())];
                let from = rng.usize(..=other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
    input
}
