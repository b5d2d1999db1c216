//! The Debian packages that tests and benchmarks use.
//!
//! Debian's mail servers exclude each other, so Postfix is installed, and the others are unpacked beside
//! the build. Their users are made as their packages would make them, for the names are built into the programs.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::shell::{self, Outcome};

/// Program (on the PATH, or a whole path), and the package that it comes in.
const PROGRAMS: &[(&str, &str)] = &[
    ("smtp-source", "postfix"),
    ("swaks", "swaks"),
    ("unbound", "unbound"),
    ("ldns-signzone", "ldnsutils"),
    ("dovecot", "dovecot-lmtpd"),
    ("python3", "python3"),
    ("strace", "strace"),
    ("m4", "m4"),
    ("saslpasswd2", "sasl2-bin"),
    ("slapd", "slapd"),
    ("krb5kdc", "krb5-kdc"),
    ("kadmin.local", "krb5-admin-server"),
    ("kinit", "krb5-user"),
    ("faketime", "faketime"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("tcpdump", "tcpdump"),
];

/// Packages without a program: swaks speaks TLS with the first and logs in by the next three, Postfix
/// and sendmail log in by the next two, Dovecot lets in by the last.
const PARTS: &[&str] = &[
    "libnet-ssleay-perl",
    "libauthen-ntlm-perl",
    "libauthen-sasl-perl",
    "libdigest-hmac-perl",
    "libsasl2-modules",
    "libsasl2-modules-gssapi-mit",
    "dovecot-gssapi",
];

/// A mail server that dpkg would not install beside Postfix.
struct Unpacked {
    /// The folder below target/peers.
    name: &'static str,
    program: &'static str,
    /// The first is its own; of the others (libraries) it can do without those that another release of Debian
    /// does not have.
    packages: &'static [&'static str],
    /// Their names are built into the program.
    users: &'static [&'static str],
    /// Makes it tell its version, and end.
    asked: &'static [&'static str],
}

const UNPACKED: &[Unpacked] = &[
    Unpacked {
        name: "exim",
        program: "usr/sbin/exim4",
        packages: &["exim4-daemon-light", "libidn12"],
        users: &["Debian-exim"],
        asked: &["-C", "/dev/null", "-bV"],
    },
    Unpacked {
        name: "opensmtpd",
        program: "usr/sbin/smtpd",
        packages: &["opensmtpd", "libevent-2.1-7"],
        users: &["opensmtpd", "opensmtpq"],
        asked: &["-h"],
    },
    Unpacked {
        name: "sendmail",
        program: "usr/libexec/sendmail/sendmail",
        packages: &[
            "sendmail-bin",
            "sendmail-cf",
            "libwrap0",
            "libnsl2",
            "liblockfile1",
            "libldap-2.5-0",
            "libdb5.3",
        ],
        users: &[],
        asked: &["-C", "/dev/null", "-d0.1", "-bt"],
    },
];

/// Installs what is missing, or says how if we may not.
pub fn run(_arguments: &[String]) -> Outcome {
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !shell::has(program))
        .map(|(_, package)| *package)
        .collect();
    missing.extend(PARTS.iter().filter(|package| !is_installed(package)));
    missing.dedup();
    let unpack: Vec<_> = UNPACKED.iter().filter(|server| !server.runs()).collect();
    if missing.is_empty() && unpack.is_empty() {
        return Ok(());
    }
    let may = shell::has("apt-get") && is_root();
    if !may {
        let list = missing.join(" ");
        return Err(format!(
            "some tests need Debian packages: run `apt-get install -y --no-install-recommends {list}` as root, \
             and `cargo x packages` again as root for Exim, OpenSMTPD and sendmail"
        ));
    }
    shell::run(&mut shell::command("apt-get", &["update", "-qq"]))?;
    if !missing.is_empty() {
        let mut install =
            shell::command("apt-get", &["install", "-y", "-qq", "--no-install-recommends"]);
        install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
        shell::run(&mut install)?;
    }
    unpack.into_iter().try_for_each(Unpacked::unpack)
}

fn is_root() -> bool {
    shell::output(&mut shell::command("id", &["-u"])).is_ok_and(|id| id == "0")
}

/// Whether dpkg has it; elsewhere than on Debian nobody knows, and the tests that need it will tell.
fn is_installed(package: &str) -> bool {
    let mut query = shell::command("dpkg-query", &["-W", "-f", "${db:Status-Status}", package]);
    match query.stderr(Stdio::null()).output() {
        Ok(output) => output.stdout == b"installed",
        Err(_) => true,
    }
}

impl Unpacked {
    fn folder(&self) -> PathBuf {
        shell::target().join("peers").join(self.name)
    }

    fn program(&self) -> PathBuf {
        self.folder().join(self.program)
    }

    /// Whether it is there, and finds its libraries and its users.
    fn runs(&self) -> bool {
        let mut program = Command::new(self.program());
        program
            .args(self.asked)
            .env("LD_LIBRARY_PATH", self.libraries())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // 127: the loader misses a library. What else it says of being asked is its own business.
        let runs =
            program.status().is_ok_and(|status| status.code().is_some_and(|code| code != 127));
        runs && self.users.iter().all(|user| is_user(user))
    }

    /// The folders that libraries were unpacked into, one for each architecture, as LD_LIBRARY_PATH
    /// wants them.
    fn libraries(&self) -> String {
        let folders =
            std::fs::read_dir(self.folder().join("usr/lib")).into_iter().flatten().flatten();
        let folders = folders.map(|entry| entry.path()).filter(|path| path.is_dir());
        folders.map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":")
    }

    /// The server and its libraries, as far as the system lacks them, without asking dpkg to install
    /// anything.
    fn unpack(&self) -> Outcome {
        let downloads = shell::target().join("peers/downloads").join(self.name);
        std::fs::create_dir_all(&downloads)
            .map_err(|error| format!("{}: {error}", downloads.display()))?;
        for (number, package) in self.packages.iter().enumerate() {
            let mut download = shell::command("apt-get", &["download", "-qq", package]);
            let done = shell::run(download.current_dir(&downloads));
            if number == 0 {
                done?;
            }
        }
        let entries = std::fs::read_dir(&downloads).map_err(|error| error.to_string())?;
        let packages = entries.flatten().map(|entry| entry.path());
        for package in packages.filter(|path| path.extension().is_some_and(|e| e == "deb")) {
            let into = self.folder();
            let arguments = ["-x".as_ref(), package.as_os_str(), into.as_os_str()];
            shell::run(Command::new("dpkg").args(arguments))?;
        }
        // With it, the loader would ignore where the libraries are.
        shell::run(Command::new("chmod").arg("u-s,g-s").arg(self.program()))?;
        for user in self.users.iter().filter(|user| !is_user(user)) {
            let nobody =
                ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"];
            shell::run(Command::new("useradd").args(nobody).arg(user))?;
        }
        match self.runs() {
            true => Ok(()),
            false => Err(format!(
                "{} does not run: `LD_LIBRARY_PATH={} {0} {}` tells why",
                self.program().display(),
                self.libraries(),
                self.asked.join(" ")
            )),
        }
    }
}

fn is_user(name: &str) -> bool {
    shell::output(Command::new("getent").args(["passwd", name])).is_ok_and(|user| !user.is_empty())
}
