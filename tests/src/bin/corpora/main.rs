//! `cargo x corpora`: how right we are on evidence that nobody here wrote.
//!
//! Scores everything in a tree laid out like `../shared/corpora` and prints each figure beside what it
//! has to be. Every miss goes to a file, one a line, so that it can be looked at.

mod bounces;
mod captures;
mod figure;
mod logs;
mod middleboxes;
mod pairs;
mod transcripts;
mod tree;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use figure::{Figure, Misses};

/// Name and what it scores.
type Part = (&'static str, fn(&Path, &mut Misses) -> Vec<Figure>);

const PARTS: [Part; 6] = [
    ("captures", captures::score),
    ("pairs", pairs::score),
    ("bounces", bounces::score),
    ("logs", logs::score),
    ("transcripts", transcripts::score),
    ("middleboxes", middleboxes::score),
];

fn main() -> ExitCode {
    let mut folder = PathBuf::from("../shared/corpora");
    let mut misses = PathBuf::from("target/corpora-misses.txt");
    let mut wanted: Vec<String> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--dir" => folder = arguments.next().unwrap_or_default().into(),
            "--misses" => misses = arguments.next().unwrap_or_default().into(),
            part if PARTS.iter().any(|(name, _)| *name == part) => wanted.push(argument),
            _ => {
                let parts: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
                eprintln!("corpora [--dir DIR] [--misses FILE] [{}]...", parts.join("|"));
                return ExitCode::from(2);
            }
        }
    }
    if !folder.is_dir() {
        eprintln!("corpora: `{}` is no folder", folder.display());
        return ExitCode::from(2);
    }
    let mut found = Misses::default();
    let mut all_reached = true;
    for (name, score) in PARTS {
        if !wanted.is_empty() && !wanted.iter().any(|part| part == name) {
            continue;
        }
        println!("{name}");
        for figure in score(&folder, &mut found) {
            println!("  {figure}");
            all_reached &= figure.is_reached();
        }
    }
    match std::fs::write(&misses, found.text()) {
        Ok(()) => println!("{} misses listed in {}", found.len(), misses.display()),
        Err(error) => {
            eprintln!("corpora: cannot write `{}`: {error}", misses.display());
            return ExitCode::FAILURE;
        }
    }
    if all_reached { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
