//! Debian's Dovecot as an LMTP server, over TCP and a Unix socket, with Maildirs of its own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{end, ready};
use crate::{
    ports,
    program::{is_root, run, skip, wanted},
};

/// It knows `anna` and `bob` at `next.test`, password `x`; it can't tell anything of `broken`.
pub struct Dovecot {
    folder: TempDir,
    /// LMTP over TCP.
    pub port: u16,
    child: Child,
}

impl Dovecot {
    /// Starts it. `None` (after saying why) where there is no Dovecot or we are not root.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start() -> Option<Self> {
        let program = wanted("dovecot")?;
        if !is_root() {
            skip("Dovecot is started by root");
            return None;
        }
        let folder =
            tempfile::Builder::new().prefix("dovecot-").tempdir().expect("a folder can be made");
        let port = ports::free();
        prepare(folder.path(), port);
        let log = File::create(folder.path().join("out")).expect("the log can be written");
        let errors = log.try_clone().expect("a file has two handles");
        let mut command = Command::new(program);
        command.arg("-F").arg("-c").arg(folder.path().join("dovecot.conf"));
        let command = command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut child = command.spawn().expect("Dovecot can be started");
        ready(&mut child, port, &folder.path().join("out"));
        Some(Self { folder, port, child })
    }

    /// LMTP over a Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("lmtp.sock")
    }

    /// Its auth service, for servers that have users authenticated by it.
    pub fn auth_socket(&self) -> PathBuf {
        self.folder.path().join("auth.sock")
    }

    /// A user's Maildir.
    pub fn mailbox(&self, user: &str) -> PathBuf {
        self.folder.path().join("mail").join(user)
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        end(&mut self.child);
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("Dovecot's log:\n{log}");
        }
    }
}

fn prepare(folder: &Path, port: u16) {
    run(Command::new("chmod").arg("755").arg(folder)).good();
    fs::create_dir(folder.join("mail")).expect("folders can be made");
    run(Command::new("chown").arg("65534:65534").arg(folder.join("mail"))).good();
    let users =
        "anna@next.test:{PLAIN}x:65534:65534::/tmp\nbob@next.test:{PLAIN}x:65534:65534::/tmp\n";
    fs::write(folder.join("users"), users).expect("the users can be written");
    // Asked about whoever is not in the file: one is a temporary failure.
    let check = "#!/bin/sh\ncase \"$AUTH_USER\" in broken*) exit 111;; esac\nexit 1\n";
    fs::write(folder.join("check"), check).expect("the script can be written");
    run(Command::new("chmod").arg("755").arg(folder.join("check"))).good();
    let shown = folder.display();
    let text = format!(
        "protocols = lmtp
base_dir = {shown}/run
state_dir = {shown}/state
log_path = {shown}/log
listen = 127.0.0.1
ssl = no
first_valid_uid = 1
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:{shown}/mail/%n
passdb {{
  driver = passwd-file
  args = username_format=%u {shown}/users
}}
passdb {{
  driver = checkpassword
  args = {shown}/check
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {shown}/users
}}
service auth {{
  unix_listener {shown}/auth.sock {{
    mode = 0600
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener {shown}/lmtp.sock {{
    mode = 0600
  }}
}}
"
    );
    fs::write(folder.join("dovecot.conf"), text).expect("the configuration can be written");
}
