//! Debian's Postfix with its own configuration, queue and data directories.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{Wants, certificate, end, ready};
use crate::{
    ports,
    program::{is_root, run, skip, wanted},
};

/// A relay: what comes in at `port` goes to the next hop it was started with.
pub struct Postfix {
    folder: TempDir,
    /// Where it takes mail from anybody on this machine.
    pub port: u16,
    /// Its key, as the data of a TLSA record `3 1 1`.
    pub tlsa: String,
    master: Child,
}

impl Postfix {
    /// Starts it. `None` (after saying why) where there is no Postfix or we are not root.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(next_hop: u16, wants: Wants<'_>) -> Option<Self> {
        let program = wanted("postfix")?;
        if !is_root() {
            skip("Postfix can only be started by root");
            return None;
        }
        let folder =
            tempfile::Builder::new().prefix("postfix-").tempdir().expect("a folder can be made");
        let port = ports::free();
        let tlsa = prepare(folder.path(), port, next_hop, wants);
        let log = File::create(folder.path().join("log")).expect("the log can be written");
        let errors = log.try_clone().expect("a file has two handles");
        let mut command = Command::new(program);
        command.arg("-c").arg(folder.path().join("conf")).arg("start-fg");
        let command = command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut master = command.spawn().expect("Postfix can be started");
        ready(&mut master, port, &folder.path().join("log"));
        Some(Self { folder, port, tlsa, master })
    }

    /// Its certificate, for `localhost` and `peer.test`; it is its own issuer.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("conf/cert.pem")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        end(&mut self.master);
        if std::thread::panicking() {
            eprintln!("Postfix's log:\n{}", self.log());
        }
    }
}

fn prepare(folder: &Path, port: u16, next_hop: u16, wants: Wants<'_>) -> String {
    let conf = folder.join("conf");
    for name in ["conf", "queue", "data"] {
        fs::create_dir(folder.join(name)).expect("folders can be made");
    }
    let tlsa = certificate(&conf);
    // Postfix's processes run as its own user, and must get in.
    run(Command::new("chmod").arg("755").arg(folder)).good();
    run(Command::new("chown").arg("postfix").arg(folder.join("data"))).good();
    write(conf.join("main.cf"), &main_cf(folder, next_hop, wants));
    write(conf.join("master.cf"), &format!("127.0.0.1:{port} inet n - n - - smtpd\n{SERVICES}"));
    let (user, password) = wants.auth.unwrap_or_default();
    write(conf.join("passwords"), &format!("[127.0.0.1]:{next_hop} {user}:{password}\n"));
    tlsa
}

fn write(path: PathBuf, text: &str) {
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn main_cf(folder: &Path, next_hop: u16, wants: Wants<'_>) -> String {
    let level = if wants.tls { "encrypt" } else { "may" };
    let auth = if wants.auth.is_some() { "yes" } else { "no" };
    let mechanisms = wants.mechanisms.unwrap_or_default();
    let login = wants.dovecot.map(|socket| {
        format!(
            "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {}\n\
             smtpd_sasl_security_options = noanonymous\n",
            socket.display()
        )
    });
    let login =
        login.or_else(|| wants.cyrus.map(|(mechanisms, user)| cyrus(folder, mechanisms, user)));
    let clients = if login.is_some() { "permit_sasl_authenticated" } else { "permit_mynetworks" };
    let login = login.unwrap_or_default();
    let environment = wants.environment.iter().map(|(name, value)| format!(" {name}={value}"));
    let environment: String = environment.collect();
    format!(
        "compatibility_level = 3.6
queue_directory = {0}/queue
data_directory = {0}/data
maillog_file = /dev/stdout
myhostname = postfix.peer.test
myorigin = peer.test
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{next_hop}
smtp_host_lookup = native
smtpd_relay_restrictions = {clients}, reject
{login}smtpd_tls_cert_file = {0}/conf/cert.pem
smtpd_tls_key_file = {0}/conf/key.pem
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtp_tls_security_level = {level}
smtp_tls_loglevel = 1
smtp_sasl_auth_enable = {auth}
smtp_sasl_password_maps = texthash:{0}/conf/passwords
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = {mechanisms}
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG PATH TZ LANG=C{environment}
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
message_size_limit = 104857600
queue_minfree = 0
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
",
        folder.display()
    )
}

/// Cyrus's library with a database of its own. Debian's Postfix has its configuration in `sasl` below its own.
fn cyrus(folder: &Path, mechanisms: &str, (user, password): (&str, &str)) -> String {
    let sasl = folder.join("conf/sasl");
    fs::create_dir(&sasl).expect("folders can be made");
    let database = sasl.join("sasldb2").display().to_string();
    let known = "printf %s \"$2\" | saslpasswd2 -p -c -f \"$0\" -u peer.test \"$1\"";
    run(Command::new("sh").args(["-c", known, &database, user, password])).good();
    run(Command::new("chown").args(["postfix", &database])).good();
    let text = format!(
        "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {database}\nmech_list: {mechanisms}\n"
    );
    write(sasl.join("smtpd.conf"), &text);
    "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = cyrus\nsmtpd_sasl_local_domain = peer.test\n\
     smtpd_sasl_security_options = noanonymous\n"
        .to_owned()
}

const SERVICES: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";
