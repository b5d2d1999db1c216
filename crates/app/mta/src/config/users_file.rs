//! The file that `mailwright user` writes: names and hashes, TOML, mode 0600.
//!
//! It is replaced as a whole, by a new file that is renamed over it: a crash leaves the old one or the
//! new one.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    User,
    users::{HashError, Storing},
};

/// Why the file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UsersFileError {
    /// Reading or writing.
    #[error("cannot change the users file `{}`", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The operating system's word.
        source: io::Error,
    },
    /// A password can't be hashed.
    #[error("the password is not stored")]
    Hash(#[from] HashError),
    /// It is not what we write.
    #[error("the users file `{}` is damaged: {message}", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong in it.
        message: String,
    },
}

/// Adds a user or changes the password of one. Whether the name was there.
pub fn add(
    path: &Path,
    name: &str,
    password: &str,
    storing: Storing,
) -> Result<bool, UsersFileError> {
    let mut users = read(path)?;
    let was_there = users.contains_key(name);
    users.entry(name.to_owned()).or_default().set_password(password, storing)?;
    write(path, &users)?;
    Ok(was_there)
}

/// Removes a user. Whether the name was there.
pub fn remove(path: &Path, name: &str) -> Result<bool, UsersFileError> {
    let mut users = read(path)?;
    if users.remove(name).is_none() {
        return Ok(false);
    }
    write(path, &users)?;
    Ok(true)
}

fn read(path: &Path) -> Result<BTreeMap<String, User>, UsersFileError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(UsersFileError::Io { path: path.to_owned(), source }),
    };
    toml::from_str(&text).map_err(|error| {
        let message = error.message().to_owned();
        UsersFileError::Damaged { path: path.to_owned(), message }
    })
}

fn write(path: &Path, users: &BTreeMap<String, User>) -> Result<(), UsersFileError> {
    let text = toml::to_string(users).map_err(|error| UsersFileError::Damaged {
        path: path.to_owned(),
        message: error.to_string(),
    })?;
    replace(path, &text).map_err(|source| UsersFileError::Io { path: path.to_owned(), source })
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let new = path.with_extension("new");
    // What a crash may have left would keep its own mode.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(b"# Written by `mailwright user`.\n")?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn users_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/users.toml");
        assert!(!remove(&path, "anna@a.test").unwrap());
        let plain = Storing { iterations: 4_096, secret: false };
        assert!(!add(&path, "anna@a.test", "one", Storing { secret: true, ..plain }).unwrap());
        assert!(!add(&path, "bob", "two", plain).unwrap());
        assert_eq!(read(&path).unwrap()["anna@a.test"].secret.as_deref(), Some("one"));
        assert!(add(&path, "anna@a.test", "three", plain).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let users = read(&path).unwrap();
        let anna = &users["anna@a.test"];
        assert!(anna.has_valid_hash() && anna.has_valid_keys() && anna.secret.is_none());
        assert_eq!(anna.scram.len(), 2);
        assert!(remove(&path, "bob").unwrap());
        assert_eq!(read(&path).unwrap().len(), 1);
        fs::write(&path, "anna = ").unwrap();
        // A damaged file is not written over.
        assert!(matches!(add(&path, "bob", "x", plain), Err(UsersFileError::Damaged { .. })));
    }
}
