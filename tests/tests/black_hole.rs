//! A path that loses big packets and does not say so, made of real packets: three network namespaces, a link in
//! the middle that carries less than the ends think, and a router whose notice is dropped. The whole transfer
//! agent sends through it, tcpdump watches, and `analyze` has to name it.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use harness::{
    bed,
    program::{is_root, run, skip, wait_for, wanted},
};
use rustix::process::{Pid, Signal, kill_process};

/// Client, router and server, as namespaces that end with the value.
struct Path3(String);

impl Path3 {
    /// `None` where namespaces are not to be had.
    fn new() -> Option<Self> {
        // Names are the machine's, not the process's.
        let path = Self(format!("mw{}", std::process::id()));
        for place in ["c", "r", "s"] {
            let name = path.name(place);
            let made = run(Command::new("ip").args(["netns", "add", &name]));
            if made.status() != 0 {
                skip(&format!("no network namespace can be made: {}", made.text()));
                return None;
            }
            path.ip("", &["-n", &name, "link", "set", "lo", "up"]);
        }
        path.link("c", "c0", "r0", "10.203.1");
        path.link("s", "s0", "r1", "10.203.2");
        path.within("r", "sysctl", &["-qw", "net.ipv4.ip_forward=1"]);
        path.within("c", "sysctl", &["-qw", "net.ipv4.tcp_mtu_probing=0"]);
        path.ip("r", &["link", "set", "r1", "mtu", "1400"]);
        let rule =
            ["-A", "OUTPUT", "-p", "icmp", "--icmp-type", "fragmentation-needed", "-j", "DROP"];
        path.within("r", "iptables", &rule);
        Some(path)
    }

    fn name(&self, place: &str) -> String {
        format!("{}{place}", self.0)
    }

    /// An end has .1, the router .2.
    fn link(&self, end: &str, device: &str, at_router: &str, network: &str) {
        let (here, there) = (self.name(end), self.name("r"));
        let link =
            ["link", "add", device, "netns", &here, "type", "veth", "peer", "name", at_router];
        self.ip("", &[&link[..], &["netns", &there]].concat());
        for (place, device, host) in [(end, device, 1), ("r", at_router, 2)] {
            self.ip(place, &["addr", "add", &format!("{network}.{host}/24"), "dev", device]);
            self.ip(place, &["link", "set", device, "up"]);
        }
        self.ip(end, &["route", "add", "default", "via", &format!("{network}.2")]);
    }

    fn ip(&self, place: &str, arguments: &[&str]) {
        if place.is_empty() {
            run(Command::new("ip").args(arguments)).good();
        } else {
            run(Command::new("ip").args(["-n", &self.name(place)]).args(arguments)).good();
        }
    }

    fn command(&self, place: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(place)]).arg(program);
        command
    }

    fn within(&self, place: &str, program: &str, arguments: &[&str]) -> String {
        run(self.command(place, program).args(arguments)).good()
    }

    fn start(
        &self,
        place: &str,
        program: impl AsRef<std::ffi::OsStr>,
        arguments: &[&str],
    ) -> Running {
        let mut command = self.command(place, program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().expect("ip runs"))
    }
}

impl Drop for Path3 {
    fn drop(&mut self) {
        for place in ["c", "r", "s"] {
            // What could not be made cannot be taken away either.
            let _ = Command::new("ip").args(["netns", "del", &self.name(place)]).output();
        }
    }
}

/// A process that ends with the value.
struct Running(Child);

impl Running {
    fn end(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        // `ip netns exec` becomes the program.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn configuration(folder: &Path) -> String {
    format!(
        r#"hostname = "mx.a.test"
data = "{}"
listener = [{{ address = "127.0.0.1:2526", role = "mx", tls = "none" }}]
relay = {{ networks = ["127.0.0.0/8"] }}
domains = {{ "a.test" = {{ mailboxes = ["anna"] }} }}
routes = {{ "b.test" = {{ next_hop = "10.203.2.1:2525", tls = "none" }} }}
timeouts = {{ data = "15s", content = "15s", end_of_data = "15s" }}
"#,
        folder.join("data").display()
    )
}

#[test]
fn big_packets_that_get_lost_are_named() {
    if !is_root() {
        return skip("network namespaces need root");
    }
    for program in ["ip", "tcpdump", "iptables"] {
        if wanted(program).is_none() {
            return;
        }
    }
    let Some(path) = Path3::new() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let ours = bed::binary();
    fs::write(at("m.toml"), configuration(folder.path())).expect("a file can be written");
    let content = "octets and octets and octets\r\n".repeat(2_000);
    fs::write(at("m.eml"), content).expect("a file can be written");

    let _lab = path.start(
        "s",
        ours,
        &["lab", "server", "--scenario", "good", "--listen", "10.203.2.1:2525"],
    );
    // Nobody gets a message of these: what was sent before it was broken off is not acknowledged.
    let probe = ["probe", "10.203.2.1:2525", "--from", "anna@a.test", "--to", "bob@b.test"];
    for more in [&["--bisect"][..], &["--bisect", "--send"]] {
        let quickly = ["--avoid", "PIPELINING,SIZE,8BITMIME,DSN", "--timeout", "5", "--json"];
        let arguments = [&probe[..], more, &quickly].concat();
        let report = run(path.command("c", ours).args(arguments)).out();
        let report: serde_json::Value = serde_json::from_str(report.trim()).expect("JSON");
        let found = &report["visits"][0]["bisection"];
        assert_eq!(found["culprit"], "large content", "{more:?}: {found}");
    }
    let dump = path.start("c", "tcpdump", &["-i", "c0", "-Z", "root", "-U", "-w", &at("c.pcap")]);
    let _agent = path.start("c", ours, &["serve", "--config", &at("m.toml")]);
    let give = [
        "send",
        "--server",
        "127.0.0.1",
        "--port",
        "2526",
        "--from",
        "anna@a.test",
        "--to",
        "bob@b.test",
        "--file",
        &at("m.eml"),
    ];
    wait_for("the agent takes the message", Duration::from_secs(30), || {
        (run(path.command("c", ours).args(give)).status() == 0).then_some(())
    });
    let found = wait_for("the capture shows it", Duration::from_secs(60), || {
        std::thread::sleep(Duration::from_secs(1));
        let found = run(Command::new(ours).args(["analyze", &at("c.pcap")])).text();
        found.contains("mtu-black-hole").then_some(found)
    });
    dump.end();
    assert!(found.contains("10.203.2.1:2525") && found.contains("never acknowledged"), "{found}");
    assert!(!found.contains("silence"), "one cause, one name: {found}");
    // The agent gives up in a while, and its own evidence has the same name for it.
    let why = wait_for("an attempt that ended", Duration::from_secs(60), || {
        std::thread::sleep(Duration::from_secs(1));
        let why = run(path.command("c", ours).args([
            "why",
            "bob@b.test",
            "--json",
            "--config",
            &at("m.toml"),
        ]));
        let why = why.out();
        why.contains("never acknowledged").then_some(why)
    });
    assert!(why.contains("mtu-black-hole") && !why.contains("silence-after-content"), "{why}");
}
