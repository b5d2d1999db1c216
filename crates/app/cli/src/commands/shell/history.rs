//! Lines that were typed in earlier shells, in a file that nobody else can read.
//!
//! Whoever adds a line has struck out what is secret: nothing here looks at what a line says.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Lines that are remembered.
pub const LINES_MAX: usize = 1_000;
/// A file that grew beyond this is no history of ours, or one that was never cut: its end is enough.
const OCTETS_MAX: u64 = 1 << 20;

/// The file, open for adding.
pub struct History {
    file: File,
    lines: Vec<String>,
}

/// Where it is: `$XDG_STATE_HOME/mailwright/shell-history`, else below `~/.local/state` (XDG Base Directory
/// Specification). `None` without a home.
pub fn place() -> Option<PathBuf> {
    let folder =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("mailwright/shell-history"))
}

impl History {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let mut octets = Vec::new();
        let length = file.metadata()?.len();
        (&mut file).take(OCTETS_MAX).read_to_end(&mut octets)?;
        let text = String::from_utf8_lossy(&octets);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() > 2 * LINES_MAX || length > OCTETS_MAX {
            lines.drain(..lines.len().saturating_sub(LINES_MAX));
            file = Self::rewritten(path, &lines)?;
        }
        lines.drain(..lines.len().saturating_sub(LINES_MAX));
        Ok(Self { file, lines })
    }

    /// The file with these lines only. Another shell that has the old one open adds to what nobody reads any
    /// more, which is as well.
    fn rewritten(path: &Path, lines: &[String]) -> io::Result<File> {
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&new)?;
        file.set_len(0)?;
        file.write_all((lines.join("\n") + "\n").as_bytes())?;
        fs::rename(&new, path)?;
        Ok(file)
    }

    /// The lines of earlier shells, the newest last.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Adds a line, for later shells.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn add(&mut self, line: &str) -> io::Result<()> {
        // One write is one line, also where two shells add at the same time.
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_kept_for_the_next_shell_and_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/mailwright/shell-history");
        let mut history = History::open(&path).unwrap();
        assert!(history.lines().is_empty());
        history.add("EHLO a.test").unwrap();
        history.add("QUIT").unwrap();
        let again = History::open(&path).unwrap();
        assert_eq!(again.lines(), ["EHLO a.test", "QUIT"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn a_long_one_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shell-history");
        fs::write(&path, "NOOP\n".repeat(2 * LINES_MAX) + "QUIT\n").unwrap();
        let mut history = History::open(&path).unwrap();
        assert_eq!(
            (history.lines().len(), history.lines()[LINES_MAX - 1].as_str()),
            (LINES_MAX, "QUIT")
        );
        history.add("EHLO a.test").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), LINES_MAX + 1);
    }
}
