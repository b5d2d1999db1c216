//! The black-box suite against our server, configured as its README asks.

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::shell::{self, Outcome};

/// Ports of the test bed: ours, and those that the suite opens itself.
const MX: u16 = 12525;
const SUBMISSION: u16 = 12587;
const TLS: u16 = 12465;
const SINK: u16 = 12600;
const CHAOS: u16 = 12700;
/// A listener that hides what the suite also wants to see refused.
const HIDING: u16 = 12526;
const USER: &str = "tester@example.test";
const PASSWORD: &str = "secret-Pa55";

/// `cargo x conformance [--suite DIR] [-- ARGS]`: both profiles, outbound cases with the first, then the
/// cases about extensions that are not offered. With ARGS (for example `--only size`) only the first
/// profile runs.
pub fn run(arguments: &[String]) -> Outcome {
    let (mut ours, theirs) = shell::split(arguments);
    let suite: PathBuf = match shell::option(&mut ours, "--suite")? {
        Some(folder) => folder.into(),
        None => match shell::shared() {
            Some(shared) => shared.join("conformance"),
            None => {
                println!(
                    "skipped: no ../shared/conformance beside this clone; name the suite with --suite DIR"
                );
                return Ok(());
            }
        },
    };
    let suite = suite.canonicalize().map_err(|error| format!("{}: {error}", suite.display()))?;
    let binary = shell::release_binary()?;
    let folder = shell::target().join("conformance");
    let bed = Bed::start(&binary, &suite, &folder)?;
    let mx = bed.suite(&suite, "mx", MX, &theirs);
    let (submission, hiding) = match theirs.is_empty() {
        true => (
            bed.suite(&suite, "submission", SUBMISSION, &[]),
            bed.suite(&suite, "mx", HIDING, &["--only".to_owned(), "*-not-offered".to_owned()]),
        ),
        false => (Ok(()), Ok(())),
    };
    drop(bed);
    println!("results: {}/*.json, the server's log: {0}/server.log", folder.display());
    mx.and(submission).and(hiding)
}

/// Our server, running.
struct Bed {
    server: Child,
    folder: PathBuf,
}

impl Bed {
    fn start(binary: &Path, suite: &Path, folder: &Path) -> Outcome<Self> {
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(failed)?;
        }
        std::fs::create_dir_all(folder).map_err(failed)?;
        let config = folder.join("mailwright.toml");
        std::fs::write(&config, configuration(suite, folder)?).map_err(failed)?;
        add_user(binary, &config, folder)?;
        let log = std::fs::File::create(folder.join("server.log")).map_err(failed)?;
        let server = Command::new(binary)
            .args(["serve", "--config"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        let bed = Self { server, folder: folder.to_path_buf() };
        let until = Instant::now() + Duration::from_secs(20);
        while [MX, SUBMISSION, TLS, HIDING]
            .iter()
            .any(|&port| TcpStream::connect(("127.0.0.1", port)).is_err())
        {
            if Instant::now() > until {
                return Err(format!(
                    "the server did not start: see {}/server.log",
                    folder.display()
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(bed)
    }

    fn suite(&self, suite: &Path, profile: &str, port: u16, arguments: &[String]) -> Outcome {
        let json = self.folder.join(format!("{profile}-{port}.json"));
        let mut run = Command::new("python3");
        run.arg(suite.join("run.py")).args(["--profile", profile, "--port", &port.to_string()]);
        for (name, value) in [
            ("--submission-port", SUBMISSION),
            ("--tls-port", TLS),
            ("--sink-port", SINK),
            ("--chaos-base-port", CHAOS),
        ] {
            if profile == "mx" || name == "--sink-port" || name == "--submission-port" {
                run.arg(name).arg(value.to_string());
            }
        }
        run.args(["--unknown-rcpt", "nouser@example.test"])
            .arg("--json")
            .arg(&json)
            .args(arguments);
        shell::run(&mut run)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // Nothing hangs on how it ends: the suite is over.
        let _killed = self.server.kill();
        let _reaped = self.server.wait();
    }
}

fn add_user(binary: &Path, config: &Path, folder: &Path) -> Outcome {
    let password = folder.join("password");
    std::fs::write(&password, PASSWORD).map_err(|error| error.to_string())?;
    let mut add = Command::new(binary);
    add.args(["user", "add", USER, "--password-file"]).arg(&password).arg("--config").arg(config);
    shell::run(&mut add)
}

/// The routes to the suite's servers that misbehave.
fn routes(suite: &Path) -> Outcome<String> {
    let mut list = Command::new("python3");
    list.arg(suite.join("chaos_server.py")).args([
        "--list",
        "--base-port",
        &CHAOS.to_string(),
        "--format",
        "toml",
    ]);
    shell::output(&mut list)
}

/// Nothing takes long here.
const WAITS: &str = "\
[retry]
first = \"2s\"
factor = 1.2
longest = \"4s\"
give_up = \"25s\"
delay_notice = \"0s\"

[timeouts]
connect = \"8s\"
greeting = \"8s\"
handshake = \"8s\"
command = \"8s\"
mail = \"8s\"
rcpt = \"8s\"
data = \"8s\"
content = \"8s\"
end_of_data = \"8s\"
";

/// The test bed of the suite's README, in our words.
fn configuration(suite: &Path, folder: &Path) -> Outcome<String> {
    let routes = routes(suite)?;
    let data = folder.join("data");
    Ok(format!(
        r#"hostname = "mx.example.test"
data = "{data}"
default_route = "127.0.0.1:{SINK}"

[limits]
size_max = "10 MiB"
connections_per_client_max = 0
# So that LIMITS says it; no other case sends as many in one session.
messages_per_session_max = 100

# The suite guesses passwords all day, from one address: no guard against that in the bed.
[door.logins]
per_client = 0
per_network = 0
per_user = 0
delay = "0s"

{WAITS}
[relay]
domains = ["relay.test", "*.chaos.test"]

[[listener]]
name = "mx"
address = "127.0.0.1:{MX}"
role = "mx"
etrn = ["127.0.0.0/8"]

[[listener]]
name = "hiding"
address = "127.0.0.1:{HIDING}"
role = "mx"
hide = ["BINARYMIME", "CHUNKING", "DSN", "SMTPUTF8", "SIZE", "STARTTLS"]

[[listener]]
name = "submission"
address = "127.0.0.1:{SUBMISSION}"
role = "submission"
etrn = ["127.0.0.0/8"]

[[listener]]
name = "submissions"
address = "127.0.0.1:{TLS}"
role = "submission"
tls = "implicit"

[domains."example.test"]
kind = "smtp"
next_hop = "127.0.0.1:{SINK}"
refuse = ["nouser"]

[routes]
{routes}
"#,
        data = data.display()
    ))
}
