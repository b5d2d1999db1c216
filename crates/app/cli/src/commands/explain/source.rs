//! Where what is to be explained comes from: typed words, files, mailbox files and folders, each message read
//! when its turn comes.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use diagnose::dialects::mailbox::{self, LETTER_MAX, Letter, Mailbox};

use super::EX_NOINPUT;
use crate::{commands::send::Failed, problem::Problem};

/// A mailbox file is read in pieces of this size.
const PIECE: usize = 64 * 1024;

/// One thing to explain.
#[derive(Debug, Default)]
pub struct Item {
    /// The file; empty for what was typed.
    pub name: String,
    /// Its octets.
    pub octets: Vec<u8>,
    /// Which message of a mailbox file it is, from 1, and the line where it begins.
    pub message: Option<(u64, u64)>,
    /// Whether it is one of a mailbox's or folder's messages.
    pub is_one_of_many: bool,
}

/// What somebody named.
pub enum Source {
    Typed(String),
    StandardInput,
    File(PathBuf),
    Folder(PathBuf),
}

impl Source {
    /// `-`, a file or a folder.
    pub fn named(name: &str) -> Self {
        match name {
            "-" => Self::StandardInput,
            name if Path::new(name).is_dir() => Self::Folder(name.into()),
            name => Self::File(name.into()),
        }
    }

    /// Calls `explain` for each thing in it. At no time more than two messages are in memory.
    pub fn each(self, explain: &mut dyn FnMut(Item)) -> Result<(), Failed> {
        match self {
            Self::Typed(words) => {
                explain(Item { octets: words.into_bytes(), ..Item::default() });
                Ok(())
            }
            Self::StandardInput => read("-", false, &mut io::stdin().lock(), explain)
                .map_err(|error| failed("-", &error)),
            Self::File(path) => of_file(&path, false, explain),
            Self::Folder(path) => {
                let files =
                    files(&path).map_err(|error| failed(&path.to_string_lossy(), &error))?;
                files.iter().try_for_each(|file| of_file(file, true, explain))
            }
        }
    }
}

fn of_file(path: &Path, is_one_of_many: bool, explain: &mut dyn FnMut(Item)) -> Result<(), Failed> {
    let name = path.to_string_lossy();
    let opened = File::open(path);
    opened
        .and_then(|mut file| read(&name, is_one_of_many, &mut file, explain))
        .map_err(|error| failed(&name, &error))
}

/// A Maildir's messages, else the files of a folder; in the order of their names.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let of_maildir = ["cur", "new"].map(|name| folder.join(name));
    let is_maildir = of_maildir.iter().all(|folder| folder.is_dir());
    let folders = if is_maildir { of_maildir.to_vec() } else { vec![folder.to_owned()] };
    let mut found = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let is_hidden =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if path.is_file() && !is_hidden {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// One message, or those of a mailbox file. A mailbox of one is a message.
fn read(
    name: &str,
    is_one_of_many: bool,
    source: &mut dyn Read,
    explain: &mut dyn FnMut(Item),
) -> io::Result<()> {
    let item =
        |octets: Vec<u8>| Item { name: name.to_owned(), octets, is_one_of_many, ..Item::default() };
    let mut begin = Vec::new();
    source.take(PIECE as u64).read_to_end(&mut begin)?;
    if !mailbox::is_mailbox(&begin) {
        source.take((LETTER_MAX - begin.len()) as u64).read_to_end(&mut begin)?;
        explain(item(begin));
        return Ok(());
    }
    let mut letters = Letters { mailbox: Mailbox::new(), source, piece: begin, is_ended: false };
    letters.mailbox.feed(&letters.piece);
    letters.piece.resize(PIECE, 0);
    let Some(first) = letters.next()? else { return Ok(()) };
    let Some(second) = letters.next()? else {
        explain(item(first.octets));
        return Ok(());
    };
    let mut tell = |letter: Letter, count: u64| {
        let message = Some((count, letter.line));
        explain(Item { message, is_one_of_many: true, ..item(letter.octets) });
    };
    tell(first, 1);
    tell(second, 2);
    let mut count = 2;
    while let Some(letter) = letters.next()? {
        count += 1;
        tell(letter, count);
    }
    Ok(())
}

/// The messages of a mailbox file, as they are read.
struct Letters<'a> {
    mailbox: Mailbox,
    source: &'a mut dyn Read,
    /// Room for [`PIECE`] octets.
    piece: Vec<u8>,
    is_ended: bool,
}

impl Letters<'_> {
    fn next(&mut self) -> io::Result<Option<Letter>> {
        loop {
            if let Some(letter) = self.mailbox.take() {
                return Ok(Some(letter));
            }
            if self.is_ended {
                return Ok(None);
            }
            match self.source.read(&mut self.piece) {
                Ok(0) => {
                    self.is_ended = true;
                    self.mailbox.finish();
                }
                Ok(length) => self.mailbox.feed(&self.piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn failed(name: &str, error: &io::Error) -> Failed {
    let problem = Problem::new(format!("cannot read `{name}`: {error}"));
    Failed { problem, status: EX_NOINPUT }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "From: MAILER-DAEMON@mx.a.test\nSubject: Undelivered\n\nThis is the mail system at host mx.a.test.\n\n";

    fn items(name: &str, mut octets: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        read(name, false, &mut octets, &mut |item| items.push(item)).unwrap();
        items
    }

    #[test]
    fn a_mailbox_is_told_message_by_message_and_one_of_one_message_as_a_message() {
        let line = "From MAILER-DAEMON Thu Apr 29 23:34:45 2021\n";
        let first = format!("{line}{REPORT}<bob@b.test>: 550 5.1.1 unknown user\n\n");
        let second = format!("{line}{REPORT}<eve@c.test>: 552 5.2.2 mailbox full\n");
        let items_of_two = items("box", format!("{first}{second}").as_bytes());
        let places: Vec<_> = items_of_two.iter().map(|item| item.message).collect();
        assert_eq!(places, [Some((1, 1)), Some((2, 9))]);
        assert!(
            items_of_two
                .iter()
                .all(|item| item.is_one_of_many && item.octets.starts_with(b"From: "))
        );
        let only = items("box", first.as_bytes());
        assert_eq!((only.len(), only[0].message, only[0].is_one_of_many), (1, None, false));
    }

    #[test]
    fn what_is_no_mailbox_is_one_thing() {
        for text in ["550 5.1.1 no", REPORT, "From here on nothing went\n"] {
            let items = items("-", text.as_bytes());
            assert_eq!((items.len(), items[0].octets.as_slice()), (1, text.as_bytes()));
        }
    }

    #[test]
    fn a_maildirs_new_and_current_messages_are_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for (name, file) in [("cur", "2"), ("new", "1"), ("tmp", "3"), ("cur", ".hidden")] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join(file), REPORT).unwrap();
        }
        let mut names = Vec::new();
        let source = Source::named(&folder.path().to_string_lossy());
        source
            .each(&mut |item| {
                assert!(item.is_one_of_many);
                names.push(item.name.rsplit('/').next().unwrap().to_owned());
            })
            .unwrap_or_else(|_| panic!("not read"));
        assert_eq!(names, ["2", "1"]);
    }
}
