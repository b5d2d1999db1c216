//! Golden pages: Markdown whose ```smtp blocks are dialogues. tests/golden/README.md has the format.
//!
//! This reads them; `golden.rs` plays the servers' pages, its neighbour the clients'.

#![allow(dead_code)] // each test uses its part

use std::{fs, path::PathBuf};

/// One file.
pub struct Page {
    /// Its name, for messages.
    pub name: String,
    /// Its dialogues, in order.
    pub blocks: Vec<Block>,
}

/// One ```smtp block.
#[derive(Clone)]
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    /// The words behind `smtp`: the variant, and `continued` if it goes on where the last one ended.
    pub words: Vec<String>,
    /// Its lines.
    pub entries: Vec<Entry>,
}

/// One line: `MARK text`.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In the file, from 1.
    pub line: usize,
    /// What stands before the first blank: `C:`, `S:`, `S~`, `*` ...
    pub mark: String,
    /// What stands behind it, as written.
    pub text: String,
}

impl Entry {
    /// The text with its escapes read: `\r \n \t \0 \\ \xHH`, `\s` for a blank at the end, and `\*N`
    /// at the end to repeat it all.
    pub fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        let mut characters = self.text.chars();
        while let Some(character) = characters.next() {
            if character != '\\' {
                octets.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            match characters.next() {
                Some('r') => octets.push(b'\r'),
                Some('n') => octets.push(b'\n'),
                Some('t') => octets.push(b'\t'),
                Some('0') => octets.push(0),
                Some('s') => octets.push(b' '),
                Some('\\') => octets.push(b'\\'),
                Some('*') => {
                    let times: String = characters.by_ref().collect();
                    octets = octets.repeat(times.parse().expect("how often to repeat"));
                }
                Some('x') => {
                    let digits: String = characters.by_ref().take(2).collect();
                    octets.push(u8::from_str_radix(&digits, 16).expect("two hexadecimal digits"));
                }
                other => panic!("line {}: no such escape: \\{other:?}", self.line),
            }
        }
        octets
    }
}

/// All pages of the repository whose names start with `prefix`, by name.
pub fn read(prefix: &str) -> Vec<Page> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/golden"));
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(prefix) && name.ends_with(".md")
    };
    paths.into_iter().filter(wanted).map(read_page).collect()
}

fn read_page(path: PathBuf) -> Page {
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = None;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        match (line.strip_prefix("```"), inside) {
            (Some(info), None) => {
                let mut words = info.split_whitespace().map(str::to_owned);
                let ours = words.next().as_deref() == Some("smtp");
                inside = Some(ours);
                if ours {
                    blocks.push(Block {
                        line: number,
                        words: words.collect(),
                        entries: Vec::new(),
                    });
                }
            }
            (Some(_), Some(_)) => inside = None,
            (None, Some(true)) if !line.trim().is_empty() => {
                let (mark, text) = line.split_once(' ').unwrap_or((line, ""));
                let entry = Entry { line: number, mark: mark.to_owned(), text: text.to_owned() };
                blocks.last_mut().expect("a block was begun").entries.push(entry);
            }
            (None, _) => {}
        }
    }
    assert!(!blocks.is_empty(), "{name} has no ```smtp block");
    Page { name, blocks }
}
