//! Debian's sendmail, unpacked beside the build by `cargo x packages`.
//!
//! It trusts no key in a folder below one that everybody may write to, wants its machine to have a whole
//! name, and asks the SASL library for a configuration in the system's folder: so it gets a view of the
//! system of its own, with its folder at /mnt.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{Wants, certificate, end, libraries, ready, secluded, unpacked};
use crate::{
    ports,
    program::{run, wanted},
};

/// A relay: what comes in at `port` goes to the next hop it was started with.
pub struct Sendmail {
    folder: TempDir,
    /// Where it takes mail from this machine, or with [`Wants::login`] from who logs in.
    pub port: u16,
    daemon: Child,
}

const VIEW: &str = "hostname sendmail.peer.test && mount --bind \"$1\" /mnt && \
    plugins=$(dirname \"$(find /usr/lib -path '*/sasl2/libplain.so*' | head -n 1)\") && \
    mkdir /mnt/sasl && cp -a \"$plugins\"/. /mnt/sasl && cp /mnt/Sendmail.conf /mnt/sasl && \
    mount --bind /mnt/sasl \"$plugins\" && \
    exec \"$0\" -C /mnt/sendmail.cf -bD -q1s -X /mnt/dialogue";

/// Of Debian's sendmail, as it calls itself to the SASL library.
const SASL: &str = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: /mnt/sasldb\n\
    mech_list: PLAIN LOGIN\n";

impl Sendmail {
    /// Starts it. `None` (after saying why) where there is no sendmail or we are not root.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(next_hop: u16, wants: Wants<'_>) -> Option<Self> {
        const PROGRAM: &str = "usr/libexec/sendmail/sendmail";
        let unpacked = unpacked("sendmail", PROGRAM)?;
        let (_, _) = (wanted("m4")?, wanted("saslpasswd2")?);
        let mut command = secluded("sendmail", VIEW)?;
        let folder =
            tempfile::Builder::new().prefix("sendmail-").tempdir().expect("a folder can be made");
        let port = ports::free();
        prepare(folder.path(), &unpacked, &macros(&unpacked, port, next_hop, wants), wants);
        let log = File::create(folder.path().join("log")).expect("the log can be written");
        let errors = log.try_clone().expect("a file has two handles");
        command.arg(unpacked.join(PROGRAM)).arg(folder.path());
        command.env("LD_LIBRARY_PATH", libraries(&unpacked));
        let command = command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut daemon = command.spawn().expect("sendmail can be started");
        ready(&mut daemon, port, &folder.path().join("log"));
        Some(Self { folder, port, daemon })
    }

    /// What it said and heard.
    pub fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        ["log", "dialogue"].map(read).concat()
    }
}

impl Drop for Sendmail {
    fn drop(&mut self) {
        end(&mut self.daemon);
        if std::thread::panicking() {
            eprintln!("sendmail's log:\n{}", self.log());
        }
    }
}

fn prepare(folder: &Path, unpacked: &Path, macros: &str, wants: Wants<'_>) {
    let _tlsa = certificate(folder);
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).expect("a peer's files can be written");
        run(Command::new("chmod").arg("600").arg(folder.join(name))).good();
    };
    write("macros", macros);
    write("Sendmail.conf", SASL);
    let (user, password) = wants.auth.unwrap_or_default();
    let login = format!("\"U:{user}\" \"I:{user}\" \"P:{password}\" \"M:PLAIN LOGIN\"");
    write("auth", &format!("AuthInfo:|{login}\n"));
    if let Some((user, password)) = wants.login {
        write("password", password);
        let script =
            "cd \"$0\" && saslpasswd2 -p -c -f ./sasldb -u sendmail.peer.test \"$1\" < password";
        run(Command::new("sh").args(["-c", script]).arg(folder).arg(user)).good();
    }
    fs::create_dir(folder.join("queue")).expect("folders can be made");
    run(Command::new("chmod").arg("700").arg(folder.join("queue"))).good();
    run(Command::new("chmod").arg("600").arg(folder.join("key.pem"))).good();
    run(Command::new("chmod").arg("755").arg(folder)).good();
    let definitions = format!("-D_CF_DIR_={}/usr/share/sendmail/cf/", unpacked.display());
    let made = run(Command::new("m4").arg(definitions).arg(folder.join("macros")));
    assert_eq!(made.status(), 0, "m4: {}", made.text());
    write("sendmail.cf", &made.out());
}

fn macros(unpacked: &Path, port: u16, next_hop: u16, wants: Wants<'_>) -> String {
    let auth = match wants.auth {
        Some(_) => "FEATURE(`authinfo', `text -z| -k0 -v1 /mnt/auth')dnl\n",
        None => "",
    };
    // `E`: no ETRN; `a`: who does not log in may not send.
    let clients = if wants.login.is_some() { "Ea" } else { "E" };
    let files = [
        ("confCACERT", "cert.pem"),
        ("confSERVER_CERT", "cert.pem"),
        ("confSERVER_KEY", "key.pem"),
        ("confCLIENT_CERT", "cert.pem"),
        ("confCLIENT_KEY", "key.pem"),
        ("confCACERT_PATH", ""),
        ("QUEUE_DIR", "queue"),
        ("confPID_FILE", "pid"),
    ];
    let files = files.map(|(name, file)| format!("define(`{name}', `/mnt/{file}')dnl\n")).concat();
    format!(
        "divert(0)dnl
include(`{}/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `sendmail.peer.test')dnl
{files}define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl
define(`confAUTH_OPTIONS', `A p')dnl
define(`confTO_QUEUEWARN', `')dnl
define(`confMIN_QUEUE_AGE', `0')dnl
define(`confTO_IDENT', `0')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {next_hop}')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
{auth}FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`nocanonify')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Name=MTA,Family=inet,Addr=127.0.0.1,Port={port},M={clients}')dnl
MAILER(`smtp')dnl
",
        unpacked.display()
    )
}
