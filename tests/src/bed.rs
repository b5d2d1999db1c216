//! `mailwright serve` in a folder of its own.

use std::{
    fs::{self, File, OpenOptions},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    ports,
    program::{Ran, run, wait_for},
};

/// The user that [`Bed::add_user`] makes.
pub const USER: &str = "tester@here.test";
/// Its password.
pub const PASSWORD: &str = "secret-Pa55";

/// A process's own memory, in KiB.
fn own_memory(status: &Path) -> u64 {
    let status = fs::read_to_string(status).expect("Linux tells of a process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.expect("memory is told").trim().trim_end_matches(" kB");
    number.parse().expect("memory is a number")
}

/// One server: configuration, data, log and process. It ends with the value.
///
/// It goes by `mx.here.test`, keeps mail for `here.test` in Maildirs, and relays for `next.test` from
/// everybody, so that a test needs to say only how.
pub struct Bed {
    folder: TempDir,
    /// Port of role `mx`, with STARTTLS.
    pub mx: u16,
    /// Port of role `submission`, with STARTTLS.
    pub submission: u16,
    /// Port of role `submission`, with TLS from the start.
    pub tls: u16,
    server: Option<Child>,
    /// Keys of both listeners for submission.
    submission_keys: String,
    environment: Vec<(String, String)>,
}

impl Bed {
    /// A configuration with these tables besides ours; nothing runs yet.
    ///
    /// # Panics
    ///
    /// When there is no place for it.
    pub fn new(tables: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("mailwright-").tempdir();
        let folder = folder.expect("a temporary folder can be made");
        let (mx, submission, tls) = (ports::free(), ports::free(), ports::free());
        let bed = Self {
            folder,
            mx,
            submission,
            tls,
            server: None,
            submission_keys: String::new(),
            environment: Vec::new(),
        };
        bed.configure("", tables);
        bed
    }

    /// The same, running.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[track_caller]
    pub fn start(tables: &str) -> Self {
        let mut bed = Self::new(tables);
        bed.start_again();
        bed
    }

    /// Writes the configuration anew: `keys` of the top level, and `tables`.
    ///
    /// # Panics
    ///
    /// When it can't be written.
    pub fn configure(&self, keys: &str, tables: &str) {
        let Self { mx, submission, tls, submission_keys, .. } = self;
        let data = self.data();
        let text = format!(
            r#"hostname = "mx.here.test"
data = "{}"
{keys}
[[listener]]
address = "127.0.0.1:{mx}"
role = "mx"

[[listener]]
address = "127.0.0.1:{submission}"
role = "submission"
{submission_keys}

[[listener]]
address = "127.0.0.1:{tls}"
role = "submission"
tls = "implicit"
{submission_keys}

[domains."here.test"]
mailboxes = ["anna", "bob"]

[domains."next.test"]
kind = "relay"

{tables}"#,
            data.display()
        );
        fs::write(self.config(), text).expect("the configuration can be written");
    }

    /// The same, with keys for both listeners of role `submission`.
    ///
    /// # Panics
    ///
    /// When it can't be written.
    pub fn configure_submission(&mut self, submission_keys: &str, tables: &str) {
        submission_keys.clone_into(&mut self.submission_keys);
        self.configure("", tables);
    }

    /// What the server and all commands find in their environment.
    pub fn environment<'e>(&mut self, names: impl IntoIterator<Item = (&'e str, String)>) {
        let names = names.into_iter().map(|(name, value)| (name.to_owned(), value));
        self.environment.extend(names);
    }

    /// Starts the process, and waits until it takes connections.
    ///
    /// # Panics
    ///
    /// When it ends instead, or is not ready after 30 s.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.server.is_none(), "the server is running");
        let log = OpenOptions::new().create(true).append(true).open(self.folder().join("log"));
        let log = log.expect("the log can be written");
        let out = log.try_clone().expect("a file has two handles");
        let mut command = Command::new(binary());
        command.args(["serve", "--config"]).arg(self.config()).envs(self.environment.clone());
        let server = command.stdin(Stdio::null()).stdout(out).stderr(log).spawn();
        self.server = Some(server.expect("the server can be started"));
        let until = Instant::now() + Duration::from_secs(30);
        while [self.mx, self.submission, self.tls].iter().any(|&port| !answers(port)) {
            let ended = self.server.as_mut().and_then(|server| server.try_wait().ok().flatten());
            assert!(ended.is_none(), "the server ended at start: {ended:?}\n{}", self.log());
            assert!(Instant::now() < until, "the server does not answer\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts one that is expected to end by itself, and gives what it said.
    pub fn fails_to_start(&self) -> Ran {
        run(Command::new(binary()).args(["serve", "--config"]).arg(self.config()))
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            // It may have ended by itself; then there is nothing to end.
            let _killed = server.kill();
            let _reaped = server.wait();
        }
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Panics
    ///
    /// When it still runs after 40 s, or never ran.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    ///
    /// When it still runs after 40 s, or never ran.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let mut server = self.server.take().expect("the server was started");
        wait_for("the server's end", Duration::from_secs(40), || server.try_wait().ok().flatten())
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// When it doesn't run.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the server runs");
    }

    /// The process.
    ///
    /// # Panics
    ///
    /// When it doesn't run.
    #[track_caller]
    pub fn pid(&self) -> Pid {
        Pid::from_child(self.server.as_ref().expect("the server was started"))
    }

    /// Does something, and gives by how many KiB the server's own memory (`RssAnon`) grew meanwhile at
    /// the most. Pages of the program's file, which come in as its code is first run, are not counted:
    /// they are the kernel's to take back.
    ///
    /// # Panics
    ///
    /// Where there is no /proc.
    pub fn memory_growth(&self, meanwhile: impl FnOnce()) -> u64 {
        let status = PathBuf::from(format!("/proc/{}/status", self.pid().as_raw_nonzero()));
        let before = own_memory(&status);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut most = before;
                while !done.load(Ordering::Relaxed) {
                    most = most.max(own_memory(&status));
                    std::thread::sleep(Duration::from_millis(2));
                }
                most
            });
            meanwhile();
            done.store(true, Ordering::Relaxed);
            watch.join().expect("the watch reads a file").saturating_sub(before)
        })
    }

    /// Runs a command of ours on this server: the configuration is added.
    pub fn command(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(binary());
        command.args(arguments).envs(self.environment.clone());
        run(command.env("MAILWRIGHT_CONFIG", self.config()))
    }

    /// What `why` has to say of a subject, once all of that is in it. Its lines are joined: they are as long as
    /// a terminal is wide.
    ///
    /// # Panics
    ///
    /// When it still does not say so after 30 s; what it says instead is told.
    #[track_caller]
    pub fn why(&self, subject: &str, expected: &[&str]) -> String {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let told = self.command(&["why", subject, "--full"]).text();
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            if expected.iter().all(|words| told.contains(words)) {
                return told;
            }
            assert!(Instant::now() < until, "{expected:?} are not all in: {told}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Adds [`USER`]; before the start, or a reload must follow.
    ///
    /// # Panics
    ///
    /// When that does not work.
    #[track_caller]
    pub fn add_user(&self) {
        self.add_user_with(&[]);
    }

    /// The same, with more arguments.
    ///
    /// # Panics
    ///
    /// When that does not work.
    #[track_caller]
    pub fn add_user_with(&self, more: &[&str]) {
        let password = self.folder().join("password");
        fs::write(&password, PASSWORD).expect("the password can be written");
        let password = password.display().to_string();
        let arguments = ["user", "add", USER, "--password-file", &password];
        self.command(&[&arguments, more].concat()).good();
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder().join("mailwright.toml")
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The folder of all that.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The Maildir of a mailbox at `here.test`.
    pub fn mailbox(&self, user: &str) -> PathBuf {
        self.data().join("mail/here.test").join(user)
    }

    /// All that it said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("the server's log:\n{last}");
        }
    }
}

/// Whether somebody listens on the port.
pub fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Our program: MAILWRIGHT, or the one that was built with the tests; it is built if it wasn't.
///
/// # Panics
///
/// When it can't be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("MAILWRIGHT") {
        Some(path) => path.into(),
        None => built(),
    })
}

fn built() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its program");
    let profile =
        test.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    let profile = profile.expect("tests are built into target/debug or target/release");
    let binary = profile.join("mailwright");
    // One build at a time, or all threads of a test run would wait for cargo's lock with its noise.
    let lock =
        File::create(profile.join(".mailwright-tests")).expect("the target folder can be written");
    lock.lock().expect("the target folder can be locked");
    if !binary.is_file() {
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build
            .args(["build", "--quiet", "--package", "mailwright"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        run(&mut build).good();
    }
    binary
}
