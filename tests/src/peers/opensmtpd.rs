//! Debian's OpenSMTPD, unpacked beside the build by `cargo x packages`.
//!
//! Where it keeps its queue and its socket is built in, so it gets a view of the file system of its own.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{Wants, certificate, end, libraries, ready, secluded, unpacked};
use crate::{ports, program::run};

/// A relay: what comes in at `port` goes to the next hop it was started with.
pub struct OpenSmtpd {
    folder: TempDir,
    /// Where it takes mail from anybody. [`Wants::login`] is not to be had: it offers AUTH inside TLS only, and
    /// as a server Debian 12's does not manage TLS (github.com/OpenSMTPD/OpenSMTPD issue 1171).
    pub port: u16,
    daemon: Child,
}

/// What is built into it lies in folders that others use too: here they are empty.
const VIEW: &str = "mount -t tmpfs tmpfs /var/spool && mount -t tmpfs tmpfs /var/lib && \
    mount -t tmpfs tmpfs /run && mkdir -p /var/lib/opensmtpd/empty && \
    mkdir -m 711 /var/spool/smtpd && exec \"$0\" -d -f \"$1\"";

impl OpenSmtpd {
    /// Starts it. `None` (after saying why) where there is no OpenSMTPD or we are not root.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(next_hop: u16, wants: Wants<'_>) -> Option<Self> {
        let unpacked = unpacked("opensmtpd", "usr/sbin/smtpd")?;
        let mut command = secluded("OpenSMTPD", VIEW)?;
        let folder =
            tempfile::Builder::new().prefix("opensmtpd-").tempdir().expect("a folder can be made");
        let port = ports::free();
        prepare(folder.path(), &configuration(folder.path(), port, next_hop, wants));
        let log = File::create(folder.path().join("log")).expect("the log can be written");
        let errors = log.try_clone().expect("a file has two handles");
        command.arg(unpacked.join("usr/sbin/smtpd")).arg(folder.path().join("conf"));
        command.env("LD_LIBRARY_PATH", libraries(&unpacked));
        let command = command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut daemon = command.spawn().expect("OpenSMTPD can be started");
        ready(&mut daemon, port, &folder.path().join("log"));
        Some(Self { folder, port, daemon })
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for OpenSmtpd {
    fn drop(&mut self) {
        end(&mut self.daemon);
        if std::thread::panicking() {
            eprintln!("OpenSMTPD's log:\n{}", self.log());
        }
    }
}

fn prepare(folder: &Path, configuration: &str) {
    let _tlsa = certificate(folder);
    fs::write(folder.join("conf"), configuration).expect("the configuration can be written");
    run(Command::new("chmod").arg("600").arg(folder.join("key.pem"))).good();
    run(Command::new("chmod").arg("755").arg(folder)).good();
}

fn configuration(folder: &Path, port: u16, next_hop: u16, wants: Wants<'_>) -> String {
    let (secrets, onward) = match wants.auth {
        Some((user, password)) => (
            format!("table secrets {{ \"next\" = \"{user}:{password}\" }}\n"),
            format!("smtp+tls://next@127.0.0.1:{next_hop}\" auth <secrets> tls no-verify"),
        ),
        None if wants.tls => {
            (String::new(), format!("smtp+tls://127.0.0.1:{next_hop}\" tls no-verify"))
        }
        None => (String::new(), format!("smtp://127.0.0.1:{next_hop}\"")),
    };
    format!(
        "pki peer cert \"{0}/cert.pem\"
pki peer key \"{0}/key.pem\"
{secrets}listen on 127.0.0.1 port {port} tls pki peer hostname opensmtpd.peer.test
action \"onward\" relay host \"{onward} helo opensmtpd.peer.test
match from any for any action \"onward\"
",
        folder.display()
    )
}
