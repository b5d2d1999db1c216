//! Debian's MIT Kerberos: a realm of its own, with its KDC, keytabs and tickets in one folder.
//!
//! No file of the system is read or written: whoever is to live in the realm gets [`Kdc::environment`].

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{end, ready};
use crate::{
    ports,
    program::{run, wanted},
};

/// The realm.
pub const REALM: &str = "EXAMPLE.TEST";
/// The password of every principal that has one.
const PASSWORD: &str = "kerberos-Pa55";

/// The realm `EXAMPLE.TEST`, with the principals `anna` and `mailer`, and the service `smtp/localhost`.
pub struct Kdc {
    folder: TempDir,
    child: Option<Child>,
}

impl Kdc {
    /// Starts it. `None` (after saying why) where it is not installed.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start() -> Option<Self> {
        let program = wanted("krb5kdc")?;
        let create = wanted("kdb5_util")?;
        wanted("kadmin.local")?;
        wanted("kinit")?;
        let folder =
            tempfile::Builder::new().prefix("kdc-").tempdir().expect("a folder can be made");
        // Postfix's and Dovecot's processes run as others, and read keytabs here.
        run(Command::new("chmod").arg("755").arg(folder.path())).good();
        fs::create_dir(folder.path().join("replays")).expect("folders can be made");
        run(Command::new("chmod").arg("1777").arg(folder.path().join("replays"))).good();
        let port = ports::free();
        prepare(folder.path(), port);
        let with_realm = |program: &Path| {
            let mut command = Command::new(program);
            command.envs(environment(folder.path()));
            command
        };
        run(with_realm(&create).args(["create", "-s", "-r", REALM, "-P", PASSWORD])).good();
        let log = File::create(folder.path().join("out")).expect("the log can be written");
        let errors = log.try_clone().expect("a file has two handles");
        let mut command = with_realm(&program);
        let command = command.arg("-n").stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut child = command.spawn().expect("the KDC can be started");
        ready(&mut child, port, &folder.path().join("out"));
        let kdc = Self { folder, child: Some(child) };
        for query in ["anna", "mailer"] {
            kdc.admin(&format!("addprinc -pw {PASSWORD} {query}"));
        }
        kdc.add_service("smtp/localhost");
        Some(kdc)
    }

    /// What a program needs to live in the realm.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment(self.folder.path())
    }

    /// A service with a key by chance.
    pub fn add_service(&self, principal: &str) {
        self.admin(&format!("addprinc -randkey {principal}"));
    }

    /// Keys of that principal in a file of that name. Each time the KDC makes new ones, and tickets that
    /// are issued from then on want those.
    pub fn keytab(&self, name: &str, principal: &str) -> PathBuf {
        let file = self.file(name);
        self.admin(&format!("ktadd -k {} {principal}", file.display()));
        run(Command::new("chmod").arg("644").arg(&file)).good();
        file
    }

    /// A cache of that name with a fresh ticket of `anna`, for that long (`10h`). Gives its name as
    /// Kerberos has it.
    ///
    /// # Panics
    ///
    /// When the KDC gives none.
    pub fn tickets(&self, name: &str, lifetime: &str) -> String {
        let cache = format!("FILE:{}", self.file(name).display());
        let mut kinit = Command::new("kinit");
        kinit.envs(self.environment()).args(["-l", lifetime, "-c", &cache, "anna"]);
        let kinit = kinit.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = kinit.spawn().expect("kinit can be started");
        let mut input = child.stdin.take().expect("it has an input");
        input.write_all(format!("{PASSWORD}\n").as_bytes()).expect("kinit reads the password");
        drop(input);
        assert!(child.wait().expect("kinit ends").success(), "kinit failed\n{}", self.log());
        cache
    }

    /// Ends the KDC; the files stay.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child);
        }
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn admin(&self, query: &str) {
        let mut command = Command::new(wanted("kadmin.local").expect("it was there at the start"));
        run(command.envs(self.environment()).args(["-r", REALM, "-q", query])).good();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("the KDC's log:\n{}", self.log());
        }
    }
}

fn environment(folder: &Path) -> Vec<(&'static str, String)> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        ("KRB5_CONFIG", file("krb5.conf")),
        ("KRB5_KDC_PROFILE", file("kdc.conf")),
        ("KRB5CCNAME", format!("FILE:{}", file("tickets"))),
        // The replay cache, which otherwise stands in /var/tmp; each user has one.
        ("KRB5RCACHEDIR", file("replays")),
    ]
}

fn prepare(folder: &Path, port: u16) {
    let shown = folder.display();
    let kdc = format!(
        "[kdcdefaults]
kdc_listen = 127.0.0.1:{port}
kdc_tcp_listen = 127.0.0.1:{port}
[realms]
{REALM} = {{
  database_name = {shown}/principals
  key_stash_file = {shown}/stash
  acl_file = {shown}/acl
  max_life = 10h
}}
[logging]
kdc = FILE:{shown}/log
"
    );
    let realm = format!(
        "[libdefaults]
default_realm = {REALM}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
qualify_shortname = \"\"
udp_preference_limit = 1
[realms]
{REALM} = {{
  kdc = 127.0.0.1:{port}
}}
"
    );
    fs::write(folder.join("kdc.conf"), kdc).expect("the configuration can be written");
    fs::write(folder.join("krb5.conf"), realm).expect("the configuration can be written");
}
