//! Debian's slapd, with a directory of two people, over TCP, TLS and a Unix socket.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{certificate, end, ready};
use crate::{
    ports,
    program::{run, wanted},
};

/// Who may search it, besides its people by themselves.
pub const SEARCHER: &str = "cn=admin,dc=example,dc=test";
/// His password.
pub const SEARCHER_PASSWORD: &str = "admin-Pa55";
/// The password of everybody in it.
pub const PASSWORD: &str = "secret-Pa55";

const PEOPLE: &str = "dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example,dc=test
objectClass: organizationalUnit
ou: people

dn: uid=anna,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
uid: anna
cn: Anna
sn: A
mail: anna@here.test
mail: info@here.test
userPassword: secret-Pa55

dn: uid=bob,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: B
mail: bob@here.test
userPassword: secret-Pa55

dn: uid=bob2,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
uid: bob2
cn: Bob
sn: B
mail: twice@here.test
mail: bob2@here.test

dn: uid=bob3,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
uid: bob3
cn: Bob
sn: B
mail: twice@here.test
";

/// A directory. It ends with the value.
pub struct Slapd {
    folder: TempDir,
    /// In clear, with StartTLS.
    pub port: u16,
    /// TLS from the first octet.
    pub tls: u16,
    child: Option<Child>,
}

impl Slapd {
    /// Starts it. `None` (after saying why) where there is none.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start() -> Option<Self> {
        wanted("slapd")?;
        let folder = tempfile::Builder::new().prefix("slapd-").tempdir().expect("a folder");
        let (port, tls) = (ports::free(), ports::free());
        certificate(folder.path());
        prepare(folder.path());
        let mut slapd = Self { folder, port, tls, child: None };
        slapd.start_again();
        Some(slapd)
    }

    /// Starts it once more.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_again(&mut self) {
        let path = self.folder.path();
        let log = File::create(path.join("out")).expect("the log can be written");
        let errors = log.try_clone().expect("a file has two handles");
        let socket = self.socket().display().to_string().replace('/', "%2F");
        let urls = format!(
            "ldap://127.0.0.1:{} ldaps://127.0.0.1:{} ldapi://{socket}",
            self.port, self.tls
        );
        let mut command = Command::new(wanted("slapd").expect("it was there"));
        command.arg("-f").arg(path.join("slapd.conf")).args(["-h", &urls, "-d", "0"]);
        let command = command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut child = command.spawn().expect("slapd can be started");
        ready(&mut child, self.port, &path.join("out"));
        self.child = Some(child);
    }

    /// Ends it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child);
        }
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("ldapi")
    }

    /// Its certificate, for `localhost`.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// A file with that text on its first line.
    ///
    /// # Panics
    ///
    /// When it can't be written.
    pub fn secret(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("secret");
        fs::write(&path, format!("{text}\n")).expect("a secret can be written");
        path
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn prepare(folder: &Path) {
    fs::create_dir(folder.join("db")).expect("folders can be made");
    let shown = folder.display();
    let text = format!(
        "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {shown}/pid
TLSCertificateFile {shown}/cert.pem
TLSCertificateKeyFile {shown}/key.pem
database mdb
suffix \"dc=example,dc=test\"
rootdn \"{SEARCHER}\"
rootpw {SEARCHER_PASSWORD}
directory {shown}/db
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact=\"{SEARCHER}\" read by anonymous auth by * none
"
    );
    fs::write(folder.join("slapd.conf"), text).expect("the configuration can be written");
    fs::write(folder.join("people"), PEOPLE).expect("the people can be written");
    let slapadd = wanted("slapadd").expect("it comes with slapd");
    let mut command = Command::new(slapadd);
    command.arg("-f").arg(folder.join("slapd.conf")).arg("-l").arg(folder.join("people"));
    run(&mut command).good();
}
