//! Programs that are not ours: where they are, and what a test does without them.

use std::{
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

/// Where a program is: on the PATH, or where daemons are.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = [PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")];
    std::env::split_paths(&path)
        .chain(more)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The same, for a test that ends if it is `None`: says so, and fails where nothing may be skipped.
///
/// # Panics
///
/// With `CI=true`, when it is missing.
pub fn wanted(program: &str) -> Option<PathBuf> {
    let found = find(program);
    if found.is_none() {
        skip(&format!("{program} is not installed; run `cargo x packages`"));
    }
    found
}

/// Says that a test is skipped, and why.
///
/// # Panics
///
/// With `CI=true`: there a test that doesn't run is a failure.
pub fn skip(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "skipped: {why}");
    println!("skipped: {why}");
}

/// Whether we may change users, mount and bind: most peers need it.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs it to its end.
///
/// # Panics
///
/// When it can't be started.
pub fn run(command: &mut Command) -> Ran {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"));
    Ran { shown: format!("{command:?}"), output }
}

/// Runs a piece of Python.
pub fn python(script: &str, arguments: &[&str]) -> Ran {
    run(Command::new("python3").args(["-c", script]).args(arguments))
}

/// What became of a program.
#[derive(Debug)]
pub struct Ran {
    shown: String,
    output: Output,
}

impl Ran {
    /// Its exit status; -1 if a signal ended it.
    pub fn status(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    /// Both outputs.
    pub fn text(&self) -> String {
        let out = String::from_utf8_lossy(&self.output.stdout);
        format!("{out}{}", String::from_utf8_lossy(&self.output.stderr))
    }

    /// Standard output alone.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// The text, of one that ended well.
    ///
    /// # Panics
    ///
    /// When it did not.
    #[track_caller]
    pub fn good(self) -> String {
        assert!(
            self.output.status.success(),
            "{}: {}\n{}",
            self.shown,
            self.output.status,
            self.text()
        );
        self.text()
    }
}

/// Waits for something that comes by itself.
///
/// # Panics
///
/// When it is not there after `limit`; `what` is named.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let until = std::time::Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < until, "after {limit:?} still not there: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
