//! Scoring captures from both sides of a box: what was altered is told, and nothing else.
//!
//! `NAME.truth.json` says whether anything was altered, in which direction, and what, in words of its own;
//! some list several alterations. A pair is right if we say altered or not as it does, and if each
//! direction and subject that it names is among our differences.

use std::path::{Path, PathBuf};

use diagnose::{
    Session,
    compare::{Change, Comparison, Direction, Settings, compare},
};
use serde_json::Value;

use crate::{
    figure::{Figure, Misses},
    tree::{files_ending, read_json, sessions},
};

pub fn score(folder: &Path, misses: &mut Misses) -> Vec<Figure> {
    let (mut verdicts, mut directions, mut subjects, mut unaltered) =
        ((0, 0), (0, 0), (0, 0), (0, 0));
    for path in files_ending(folder, ".truth.json") {
        let Some((truth, near, far)) = pair(&path) else { continue };
        let comparison = compare(&near, &far, &Settings::default());
        let said = told(&comparison);
        let is_altered = truth["altered"].as_bool().unwrap_or(false);
        let found = comparison.is_altered();
        add(&mut verdicts, is_altered == found);
        if is_altered != found {
            misses.note("pairs: altered", path.display(), is_altered, format!("{found}: {said}"));
        }
        if !is_altered {
            add(&mut unaltered, !found);
            continue;
        }
        for alteration in alterations(&truth) {
            if let Some(direction) = direction(alteration) {
                let is_right = differences(&comparison).any(|d| d.direction == direction);
                add(&mut directions, is_right);
                if !is_right {
                    misses.note("pairs: direction", path.display(), alteration, &said);
                }
            }
            if let Some(word) = subject(alteration) {
                let is_right =
                    differences(&comparison).any(|d| d.what.to_uppercase().contains(&word));
                add(&mut subjects, is_right);
                if !is_right {
                    misses.note("pairs: subject", path.display(), alteration, &said);
                }
            }
        }
    }
    let figure = |name, (right, of)| Figure { name, right, of, wanted: 1.0 };
    vec![
        figure("pairs: altered or not", verdicts),
        figure("pairs: nothing accused where nothing was done", unaltered),
        figure("pairs: direction of the alteration", directions),
        figure("pairs: what was altered", subjects),
    ]
}

fn add(count: &mut (usize, usize), is_right: bool) {
    count.0 += usize::from(is_right);
    count.1 += 1;
}

/// The truth, and the sessions of both sides; `None` if something of it is not there.
fn pair(path: &Path) -> Option<(Value, Vec<Session>, Vec<Session>)> {
    let truth = read_json(path)?;
    let side = |key: &str| -> Option<Vec<Session>> {
        let file: PathBuf = path.parent()?.join(truth[key].as_str()?);
        file.is_file().then(|| sessions(&file))
    };
    let (near, far) = (side("client_capture")?, side("server_capture")?);
    Some((truth, near, far))
}

/// The alterations of a truth: its list, else itself.
fn alterations(truth: &Value) -> Vec<&Value> {
    match truth["alterations"].as_array() {
        Some(list) => list.iter().collect(),
        None => vec![truth],
    }
}

fn direction(alteration: &Value) -> Option<Direction> {
    match alteration["direction"].as_str()? {
        text if text.starts_with("server") => Some(Direction::ServerToClient),
        text if text.starts_with("client") => Some(Direction::ClientToServer),
        _ => None,
    }
}

/// The verb or keyword that was altered, in upper case.
fn subject(alteration: &Value) -> Option<String> {
    let word = alteration["verb"].as_str().or_else(|| alteration["keyword"].as_str())?;
    Some(word.to_uppercase())
}

fn differences(comparison: &Comparison) -> impl Iterator<Item = &diagnose::compare::Difference> {
    let all = comparison.pairs.iter().flat_map(|pair| &pair.differences);
    all.filter(|difference| difference.change != Change::Delayed)
}

fn told(comparison: &Comparison) -> String {
    let all: Vec<String> = differences(comparison)
        .map(|d| format!("{:?} {:?}: {}", d.direction, d.change, d.what))
        .collect();
    all.join(" | ")
}
