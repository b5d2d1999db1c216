//! A validating resolver of our own world: Debian's unbound over a root zone that is signed here, with
//! its own trust anchor. Nothing outside is ever asked.

use std::{
    fs::{self, File},
    net::{SocketAddr, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::end;
use crate::program::{run, skip, wanted};

/// A resolver on a free port of the loopback.
pub struct Unbound {
    folder: TempDir,
    /// Where it answers.
    pub at: SocketAddr,
    child: Child,
}

impl Unbound {
    /// `signed` are records of the root zone; `open` those of the unsigned zone `open.` below it. Each
    /// `forge` is a text of the signed zone and what stands there instead, once it is signed. `None`
    /// (after saying why) where unbound or ldns-signzone are not installed.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(signed: &str, open: &str, forge: &[(&str, &str)]) -> Option<Self> {
        let program = wanted("unbound")?;
        let signer = wanted("ldns-signzone")?;
        let Some(generator) = crate::program::find("ldns-keygen") else {
            skip("ldns-keygen is not installed; run `cargo x packages`");
            return None;
        };
        let folder =
            tempfile::Builder::new().prefix("unbound-").tempdir().expect("a folder can be made");
        let at = free();
        zones(folder.path(), signed, open);
        let key = run(Command::new(generator)
            .args(["-a", "ECDSAP256SHA256", "-k", "."])
            .current_dir(&folder));
        let key = key.out().trim().to_owned();
        run(Command::new(signer)
            .args(["-f", "root.signed", "root.zone", &key])
            .current_dir(&folder))
        .good();
        falsify(&folder.path().join("root.signed"), forge);
        let conf = folder.path().join("unbound.conf");
        fs::write(&conf, configuration(folder.path(), at, &key)).expect("it can be written");
        let log = File::create(folder.path().join("log")).expect("the log can be written");
        let mut command = Command::new(program);
        command.args(["-d", "-p", "-c"]).arg(&conf).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("unbound can be started");
        let mut unbound = Self { folder, at, child };
        unbound.wait();
        Some(unbound)
    }

    fn wait(&mut self) {
        // A query for the root's NS, by hand: any reply will do.
        let query = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a time-out");
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let _sent = socket.send_to(&query, self.at);
            if socket.recv_from(&mut [0; 2048]).is_ok() {
                return;
            }
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let ended = self.child.try_wait().ok().flatten();
            assert!(ended.is_none(), "unbound ended at start: {ended:?}\n{}", log());
            assert!(Instant::now() < until, "unbound does not answer\n{}", log());
        }
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// It listens on UDP and TCP; below the ports that clients get, lest one of those is in its way.
fn free() -> SocketAddr {
    loop {
        let at = SocketAddr::from(([127, 0, 0, 1], crate::ports::free()));
        if UdpSocket::bind(at).is_ok() {
            return at;
        }
    }
}

fn zones(folder: &Path, signed: &str, open: &str) {
    let head = |zone: &str, ns: &str| {
        format!(
            "$TTL 300\n{zone} IN SOA ns. hostmaster. 1 3600 600 86400 60\n{zone} IN NS {ns}\n{ns} IN A 127.0.0.1\n"
        )
    };
    let delegation = "open. IN NS ns.open.\nns.open. IN A 127.0.0.1\n";
    let root = format!("{}{delegation}{signed}\n", head(".", "ns."));
    fs::write(folder.join("root.zone"), root).expect("the zone can be written");
    let open = format!("{}{open}\n", head("open.", "ns.open."));
    fs::write(folder.join("open.zone"), open).expect("the zone can be written");
}

fn falsify(zone: &Path, forge: &[(&str, &str)]) {
    let mut text = fs::read_to_string(zone).expect("the zone was signed");
    for (from, to) in forge {
        assert!(text.contains(from), "`{from}` is not in the zone:\n{text}");
        text = text.replace(from, to);
    }
    fs::write(zone, text).expect("the zone can be written");
}

fn configuration(folder: &Path, at: SocketAddr, key: &str) -> String {
    let (folder, port) = (folder.display(), at.port());
    format!(
        "server:
  interface: 127.0.0.1
  port: {port}
  username: \"\"
  chroot: \"\"
  directory: \"{folder}\"
  pidfile: \"\"
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  module-config: \"validator iterator\"
  trust-anchor-file: \"{folder}/{key}.key\"
  local-zone: \"test.\" nodefault
  qname-minimisation: no
  do-not-query-localhost: no
remote-control:
  control-enable: no
auth-zone:
  name: \".\"
  zonefile: \"{folder}/root.signed\"
  for-downstream: no
auth-zone:
  name: \"open.\"
  zonefile: \"{folder}/open.zone\"
  for-downstream: no
"
    )
}
