//! Allow and deny lists: networks and addresses by name, given in the settings or in files.
//!
//! A file has one entry a line; `#` begins a comment. One line that can't be read, and the file as a
//! whole is not taken: half a list is worse than the one before.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use notation::Network;
use smtp::Address;
use world::{
    Disk,
    disk::{Open, read_exact_at},
};

use crate::settings::{Names, Settings};

/// A longer file is not read.
const FILE_LENGTH_MAX: u64 = 64 << 20;

/// Why a list can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// The file.
    #[error("cannot read the list `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An entry.
    #[error("{place}: `{text}` {why}")]
    Entry {
        /// `FILE:LINE`, or the setting's name.
        place: String,
        /// The entry.
        text: String,
        /// What is wrong, and what would do.
        why: String,
    },
}

/// The files' octets as they were read: to know whether they have changed.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Names, made ready to be looked into.
#[derive(Debug, Default)]
pub struct Set {
    clients: Vec<Network>,
    senders: Paths,
    recipients: Paths,
}

#[derive(Debug, Default)]
struct Paths {
    addresses: HashSet<Box<str>, ahash::RandomState>,
    domains: HashSet<Box<str>, ahash::RandomState>,
    suffixes: HashSet<Box<str>, ahash::RandomState>,
    local_parts: HashSet<Box<str>, ahash::RandomState>,
    null: bool,
}

/// Reads all files that the settings name. Blocks on the disk.
pub fn read(disk: &dyn Disk, settings: &Settings) -> Result<Files, NamesError> {
    let mut files = Files::new();
    for path in settings.files() {
        let octets = read_one(disk, path)
            .map_err(|source| NamesError::File { path: path.clone(), source })?;
        files.insert(path.clone(), octets);
    }
    Ok(files)
}

fn read_one(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let length = file.len()?;
    if length > FILE_LENGTH_MAX {
        return Err(io::Error::other("it is longer than 64 MiB"));
    }
    let mut octets = vec![0; length as usize];
    read_exact_at(&*file, 0, &mut octets)?;
    Ok(octets)
}

impl Set {
    /// From the settings and the files that they name; `called` is the setting, for errors.
    pub fn new(names: &Names, called: &str, files: &Files) -> Result<Self, NamesError> {
        let mut set = Self { clients: names.clients.clone(), ..Self::default() };
        for (place, text) in entries(&names.clients_file, files)? {
            let network = text.parse::<Network>().map_err(|error| NamesError::Entry {
                place,
                text: text.clone(),
                why: format!("can't be read: {error}"),
            })?;
            set.clients.push(network);
        }
        let given = |list: &[String], key: &str| -> Vec<(String, String)> {
            let place = format!("`{called}.{key}`");
            list.iter().map(|text| (place.clone(), text.clone())).collect()
        };
        for (place, text) in
            given(&names.senders, "senders").into_iter().chain(entries(&names.senders_file, files)?)
        {
            set.senders.insert(place, &text)?;
        }
        for (place, text) in given(&names.recipients, "recipients")
            .into_iter()
            .chain(entries(&names.recipients_file, files)?)
        {
            set.recipients.insert(place, &text)?;
        }
        Ok(set)
    }

    /// The network that a client is in.
    pub fn client(&self, client: IpAddr) -> Option<&Network> {
        self.clients.iter().find(|network| network.contains(client))
    }

    /// Whether a reverse-path is named; `None` is the null one.
    pub fn sender(&self, path: Option<&Address>) -> bool {
        match path {
            None => self.senders.null,
            Some(path) => self.senders.has(path),
        }
    }

    /// Whether a forward-path is named.
    pub fn recipient(&self, path: &Address) -> bool {
        self.recipients.has(path)
    }
}

impl Paths {
    fn insert(&mut self, place: String, text: &str) -> Result<(), NamesError> {
        let entry = text.trim().to_lowercase();
        let wrong = || NamesError::Entry {
            place,
            text: text.to_owned(),
            why: "is no entry of a list: write `user@example.org`, `example.org`, \
                  `*.example.org`, `user@` or `<>`"
                .to_owned(),
        };
        let is_domain = |text: &str| format!("x@{text}").parse::<Address>().is_ok();
        if entry == "<>" {
            self.null = true;
        } else if let Some(suffix) = entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.')) {
            if !is_domain(suffix) {
                return Err(wrong());
            }
            self.suffixes.insert(suffix.into());
        } else if let Some(local_part) = entry.strip_suffix('@') {
            if format!("{local_part}@a.test").parse::<Address>().is_err() {
                return Err(wrong());
            }
            self.local_parts.insert(local_part.into());
        } else if let Some(domain) =
            entry.strip_prefix('@').or((!entry.contains('@')).then_some(&*entry))
        {
            if !is_domain(domain) {
                return Err(wrong());
            }
            self.domains.insert(domain.into());
        } else {
            let address: Address = entry.parse().map_err(|_| wrong())?;
            self.addresses.insert(canonical(&address).into());
        }
        Ok(())
    }

    fn has(&self, path: &Address) -> bool {
        let empty = self.addresses.is_empty() && self.local_parts.is_empty();
        if empty && self.domains.is_empty() && self.suffixes.is_empty() {
            return false;
        }
        let domain = path.domain().to_lowercase();
        let local_part = path.local_part_unquoted().to_lowercase();
        let mut rest = &*domain;
        while let Some((_, suffix)) = rest.split_once('.') {
            if self.suffixes.contains(suffix) {
                return true;
            }
            rest = suffix;
        }
        self.domains.contains(&*domain)
            || self.local_parts.contains(&*local_part)
            || self.addresses.contains(&*canonical(path))
    }
}

/// Lower case, without quotes that mean nothing: `"user"@a.test` is the mailbox `user@a.test`.
fn canonical(path: &Address) -> String {
    format!("{}@{}", path.local_part_unquoted(), path.domain()).to_lowercase()
}

fn entries(file: &Option<PathBuf>, files: &Files) -> Result<Vec<(String, String)>, NamesError> {
    let Some(path) = file else { return Ok(Vec::new()) };
    let octets = files.get(path).map(Vec::as_slice).unwrap_or_default();
    let text = std::str::from_utf8(octets).map_err(|error| NamesError::Entry {
        place: path.display().to_string(),
        text: format!("octet {}", error.valid_up_to()),
        why: "is not UTF-8".to_owned(),
    })?;
    let lines = text.lines().enumerate().map(|(index, line)| {
        let entry = line.split('#').next().unwrap_or_default().trim();
        (format!("{}:{}", path.display(), index + 1), entry.to_owned())
    });
    Ok(lines.filter(|(_, entry)| !entry.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(senders: &[&str]) -> Result<Set, NamesError> {
        let senders = senders.iter().map(|text| (*text).to_owned()).collect();
        let names = Names { senders, ..Names::default() };
        Set::new(&names, "deny", &Files::new())
    }

    #[test]
    fn what_each_form_means() {
        for (entry, path, fits) in [
            ("anna@a.test", "Anna@A.test", true),
            ("anna@a.test", "\"anna\"@a.test", true), // RFC 5321 section 4.1.2: the same mailbox
            ("anna@a.test", "bob@a.test", false),
            ("a.test", "x@a.test", true),
            ("@a.test", "x@a.test", true),
            ("a.test", "x@b.a.test", false),
            ("*.a.test", "x@c.b.a.test", true),
            (".a.test", "x@b.a.test", true),
            ("*.a.test", "x@a.test", false),
            ("*.a.test", "x@ba.test", false),
            ("root@", "root@anywhere.test", true),
            ("root@", "groot@anywhere.test", false),
        ] {
            let path: Address = path.parse().unwrap();
            assert_eq!(set(&[entry]).unwrap().sender(Some(&path)), fits, "{entry} {path}");
        }
        assert!(set(&["<>"]).unwrap().sender(None));
        assert!(!set(&["a.test"]).unwrap().sender(None));
        for wrong in ["", "*", "a b", "a@b@c", "-x", "@"] {
            assert!(set(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn files_have_comments_and_a_bad_line_is_named() {
        let path = PathBuf::from("/lists/bad");
        let names = Names { clients_file: Some(path.clone()), ..Names::default() };
        let read = |text: &str| {
            let files = Files::from([(path.clone(), text.as_bytes().to_vec())]);
            Set::new(&names, "deny", &files)
        };
        let set = read("# all of them\n192.0.2.0/24  # a comment\n\n2001:db8::/32\n").unwrap();
        assert!(set.client("192.0.2.9".parse().unwrap()).is_some());
        assert!(set.client("198.51.100.1".parse().unwrap()).is_none());
        let error = read("192.0.2.1\nnonsense\n").unwrap_err().to_string();
        assert!(error.starts_with("/lists/bad:2: `nonsense` can't be read"), "{error}");
    }
}
