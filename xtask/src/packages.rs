//! The Debian packages that tests and benchmarks use.
//!
//! Debian's Postfix and Exim exclude each other, so Postfix is installed and Exim is unpacked beside
//! the build. Its user is made as its package would make it, for its name is built into the program.

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
];

/// Packages without a program: swaks speaks TLS with the first, Postfix logs in with the second.
const PARTS: &[&str] = &["libnet-ssleay-perl", "libsasl2-modules"];

/// The package that Exim comes in.
const EXIM_PACKAGE: &str = "exim4-daemon-light";

/// The user that Exim runs as.
const EXIM_USER: &str = "Debian-exim";

/// Where the unpacked Exim's program is.
pub fn exim() -> PathBuf {
    shell::target().join("peers/exim/usr/sbin/exim4")
}

/// Installs what is missing, or says how if we may not.
pub fn run(_arguments: &[String]) -> Outcome {
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !shell::has(program))
        .map(|(_, package)| *package)
        .collect();
    missing.extend(PARTS.iter().filter(|package| !is_installed(package)));
    missing.dedup();
    let exim_missing = !exim().is_file() || !exim_runs();
    if missing.is_empty() && !exim_missing {
        return Ok(());
    }
    let may = shell::has("apt-get") && is_root();
    if !may {
        let list = missing.join(" ");
        return Err(format!(
            "some tests need Debian packages: run `apt-get install -y --no-install-recommends {list}` as root, \
             and `cargo x packages` again as root for Exim"
        ));
    }
    shell::run(&mut shell::command("apt-get", &["update", "-qq"]))?;
    if !missing.is_empty() {
        let mut install =
            shell::command("apt-get", &["install", "-y", "-qq", "--no-install-recommends"]);
        install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
        shell::run(&mut install)?;
    }
    if exim_missing { unpack_exim() } else { Ok(()) }
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

/// Whether Exim finds its libraries and its user.
fn exim_runs() -> bool {
    let mut exim = Command::new(exim());
    exim.args(["-C", "/dev/null", "-bV"])
        .env("LD_LIBRARY_PATH", exim_libraries())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    exim.status().is_ok_and(|status| status.success())
}

/// The folders that libraries were unpacked into, one for each architecture, as LD_LIBRARY_PATH wants them.
fn exim_libraries() -> String {
    let folder = shell::target().join("peers/exim/usr/lib");
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = folders.map(|entry| entry.path()).filter(|path| path.is_dir());
    folders.map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":")
}

/// Exim and its libraries, as far as the system lacks them, without asking dpkg to install anything.
fn unpack_exim() -> Outcome {
    let folder = shell::target().join("peers");
    let downloads = folder.join("downloads");
    std::fs::create_dir_all(&downloads)
        .map_err(|error| format!("{}: {error}", downloads.display()))?;
    let packages = [EXIM_PACKAGE, "libidn12"];
    for package in packages {
        let mut download = shell::command("apt-get", &["download", "-qq", package]);
        let done = shell::run(download.current_dir(&downloads));
        // Which libraries Exim wants differs between releases: only Exim itself must be there.
        if package == EXIM_PACKAGE {
            done?;
        }
    }
    let into = folder.join("exim");
    let entries = std::fs::read_dir(&downloads).map_err(|error| error.to_string())?;
    for package in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "deb"))
    {
        let arguments = ["-x".as_ref(), package.as_os_str(), into.as_os_str()];
        shell::run(Command::new("dpkg").args(arguments))?;
    }
    // With it, the loader would ignore where the libraries are.
    shell::run(Command::new("chmod").arg("u-s").arg(exim()))?;
    if !shell::output(Command::new("getent").args(["passwd", EXIM_USER]))
        .is_ok_and(|user| !user.is_empty())
    {
        let user = [
            "--system",
            "--user-group",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            EXIM_USER,
        ];
        shell::run(Command::new("useradd").args(user))?;
    }
    match exim_runs() {
        true => Ok(()),
        false => Err(format!(
            "{} does not run: `LD_LIBRARY_PATH={} {0} -C /dev/null -bV` tells why",
            exim().display(),
            exim_libraries()
        )),
    }
}
