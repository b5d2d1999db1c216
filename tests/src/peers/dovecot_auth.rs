//! Debian's Dovecot as nothing but its auth service, at a Unix socket: who may sign in to a Postfix, or
//! to us.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::end;
use crate::program::{is_root, run, skip, wait_for, wanted};

/// What it knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Knows<'a> {
    /// Its mechanisms: `plain scram-sha-256`.
    pub mechanisms: &'a str,
    /// A user and his password, as they are: every mechanism can work with that.
    pub user: (&'a str, &'a str),
    /// Where it asks about tokens (RFC 7662): an URL.
    pub tokens: Option<&'a str>,
    /// The keys of its service, for GSSAPI.
    pub keytab: Option<&'a Path>,
    /// What it finds in its environment.
    pub environment: &'a [(&'a str, String)],
}

/// It lives until the value is dropped.
pub struct DovecotAuth {
    folder: TempDir,
    child: Child,
}

impl DovecotAuth {
    /// Starts it. `None` (after saying why) where there is no Dovecot or we are not root.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(knows: Knows<'_>) -> Option<Self> {
        let program = wanted("dovecot")?;
        if !is_root() {
            skip("Dovecot is started by root");
            return None;
        }
        let folder =
            tempfile::Builder::new().prefix("dovecot-").tempdir().expect("a folder can be made");
        run(Command::new("chmod").arg("755").arg(folder.path())).good();
        let (user, password) = knows.user;
        fs::write(folder.path().join("users"), format!("{user}:{{PLAIN}}{password}::::::\n"))
            .expect("the users can be written");
        fs::write(folder.path().join("dovecot.conf"), configuration(folder.path(), knows))
            .expect("the configuration can be written");
        if let Some(url) = knows.tokens {
            let tokens = format!(
                "introspection_mode = post\nintrospection_url = {url}\nactive_attribute = active\n\
                 active_value = true\nusername_attribute = email\nopenid_configuration_url = https://id.test/known\n"
            );
            fs::write(folder.path().join("tokens.conf"), tokens).expect("a file can be written");
        }
        let log = File::create(folder.path().join("out")).expect("the log can be written");
        let errors = log.try_clone().expect("a file has two handles");
        let mut command = Command::new(program);
        command.arg("-F").arg("-c").arg(folder.path().join("dovecot.conf"));
        let command = command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().expect("Dovecot can be started");
        let dovecot = Self { folder, child };
        wait_for("Dovecot's auth socket", Duration::from_secs(30), || {
            dovecot.socket().exists().then_some(())
        });
        Some(dovecot)
    }

    /// Where clients of its protocol connect.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("auth-client")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for DovecotAuth {
    fn drop(&mut self) {
        end(&mut self.child);
        if std::thread::panicking() {
            eprintln!("Dovecot's log:\n{}", self.log());
        }
    }
}

fn configuration(folder: &Path, knows: Knows<'_>) -> String {
    let shown = folder.display();
    let environment = knows.environment.iter().map(|(name, value)| format!(" {name}={value}"));
    let environment: String = environment.collect();
    let keytab = knows.keytab.map(|file| {
        format!("auth_krb5_keytab = {}\nauth_gssapi_hostname = \"$ALL\"\n", file.display())
    });
    let tokens = knows.tokens.map(|_| {
        format!(
            "passdb {{\n  driver = oauth2\n  mechanisms = oauthbearer xoauth2\n  args = {shown}/tokens.conf\n}}\n"
        )
    });
    format!(
        "protocols =
base_dir = {shown}/run
state_dir = {shown}/state
log_path = {shown}/log
ssl = no
disable_plaintext_auth = no
auth_verbose = yes
auth_mechanisms = {}
import_environment = TZ{environment}
{}{}passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {shown}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/tmp
}}
service auth {{
  unix_listener {shown}/auth-client {{
    mode = 0666
  }}
}}
",
        knows.mechanisms,
        keytab.unwrap_or_default(),
        tokens.unwrap_or_default()
    )
}
