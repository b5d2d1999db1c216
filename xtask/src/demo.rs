//! A message that arrives, one that is stuck because a box in between takes MAIL away and the finding that names it,
//! and one that gets round a box that ends sessions at XEXCH50; all of it on this machine, with the real program.
//!
//! ```text
//! mailwright send -> mailwright serve -> lab middlebox (plain | strip-mail-from | xexch50-abort) -> lab server
//! ```

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::shell::{self, Outcome};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Programs that were started; they end with the demonstration, however it ends.
struct Stage {
    program: PathBuf,
    folder: PathBuf,
    running: Vec<Child>,
}

/// `cargo x demo`
pub fn run(_arguments: &[String]) -> Outcome {
    let folder = std::env::temp_dir().join(format!("mailwright-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut stage = Stage { program: shell::release_binary()?, folder, running: Vec::new() };
    let played = stage.play();
    let kept = stage.folder.clone();
    drop(stage);
    if let Err(error) = std::fs::remove_dir_all(&kept) {
        eprintln!("{} is left behind: {error}", kept.display());
    }
    played
}

impl Stage {
    fn play(&mut self) -> Outcome {
        let [mail, good, bad, old, server, exchange] = free_ports()?;
        let at = |port: u16| format!("127.0.0.1:{port}");
        for (scenario, port) in [("good", server), ("xexch50-504", exchange)] {
            self.start(&["lab", "server", "--scenario", scenario, "--listen", &at(port)])?;
        }
        for (scenario, port, behind, record) in [
            ("plain", good, server, "good.pcap"),
            ("strip-mail-from", bad, server, "near.pcap"),
            ("xexch50-abort", old, exchange, "old.pcap"),
        ] {
            let (near, far) = (self.file(record), self.file(&format!("far-{record}")));
            let between = ["lab", "middlebox", "--scenario", scenario, "--between"];
            let places = [at(port), at(behind)];
            let records = ["--record-near", &near, "--record-far", &far];
            let places = places.iter().map(String::as_str);
            let all: Vec<&str> = between.into_iter().chain(places).chain(records).collect();
            self.start(&all)?;
        }
        let config = self.configure(mail, good, bad, old)?;
        self.start(&["serve", "--config", &config])?;
        for port in [server, exchange, good, bad, old, mail] {
            wait_for(port)?;
        }
        title("A message that arrives");
        self.send(mail, "bob@good.test")?;
        self.show_until(&["why", "bob@good.test", "--config", &config], "relayed")?;
        title("A message behind a box that takes MAIL FROM away");
        self.send(mail, "carol@behind.test")?;
        self.show_until(&["why", "carol@behind.test", "--config", &config], "took MAIL away")?;
        title("The same, from a capture on the near side of the box");
        let (near, far) = (self.file("near.pcap"), self.file("far-near.pcap"));
        self.show_until(&["analyze", &near], "command-taken-away")?;
        title("And proven by the captures of both sides");
        self.show_until(&["compare", &near, &far], "never arrived")?;
        title("A message that gets round a firewall which ends the session at XEXCH50");
        self.send(mail, "dora@old.test")?;
        self.show_until(&["why", "dora@old.test", "--config", &config], "XEXCH50 is not used")?;
        self.show_until(&["analyze", &self.file("old.pcap")], "xexch50")
    }

    fn configure(&self, mail: u16, good: u16, bad: u16, old: u16) -> Outcome<String> {
        let data = self.file("data");
        let text = format!(
            "hostname = \"demo.test\"\ndata = \"{data}\"\n\n\
             [[listener]]\naddress = \"127.0.0.1:{mail}\"\nrole = \"mx\"\ntls = \"none\"\n\n\
             [relay]\nnetworks = [\"127.0.0.0/8\"]\n\n\
             [routes]\n\"good.test\" = \"127.0.0.1:{good}\"\n\"behind.test\" = \"127.0.0.1:{bad}\"\n\
             \"old.test\" = {{ next_hop = \"127.0.0.1:{old}\", use = [\"XEXCH50\"], retry = {{ first = \"1s\" }} }}\n"
        );
        let path = self.file("mailwright.toml");
        std::fs::write(&path, text).map_err(|error| format!("{path}: {error}"))?;
        Ok(path)
    }

    fn send(&self, port: u16, to: &str) -> Outcome {
        let port = port.to_string();
        shell::run(&mut self.command(&[
            "send",
            "-s",
            "127.0.0.1",
            "-p",
            &port,
            "-f",
            "alice@a.test",
            "-t",
            to,
            "-a",
            "a demonstration",
            "-b",
            "Hello.",
        ]))
    }

    /// Runs it until it says what it should, and shows that.
    fn show_until(&self, arguments: &[&str], wanted: &str) -> Outcome {
        let begin = Instant::now();
        loop {
            let output = self.command(arguments).output();
            let output = output.map_err(|error| format!("{arguments:?}: {error}"))?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if text.contains(wanted) {
                eprintln!("$ mailwright {}", arguments.join(" "));
                println!("{text}");
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                let error = String::from_utf8_lossy(&output.stderr);
                return Err(format!(
                    "`mailwright {}` did not say `{wanted}`:\n{text}{error}",
                    arguments.join(" ")
                ));
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn start(&mut self, arguments: &[&str]) -> Outcome {
        let child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.running.push(child.map_err(|error| format!("{arguments:?}: {error}"))?);
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.folder);
        command
    }

    fn file(&self, name: &str) -> String {
        Path::new(&self.folder).join(name).display().to_string()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in &mut self.running {
            // One that has ended already can't be ended again.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn title(text: &str) {
    println!("\n== {text} ==\n");
}

/// Ports that nobody listens on now.
fn free_ports<const N: usize>() -> Outcome<[u16; N]> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        *port = listener.local_addr().map_err(|error| error.to_string())?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn wait_for(port: u16) -> Outcome {
    let begin = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if begin.elapsed() > PATIENCE {
            return Err(format!("nobody listens on port {port}"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
