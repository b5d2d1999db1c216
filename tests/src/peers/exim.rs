//! Debian's Exim, unpacked beside the build by `cargo x packages`: Debian lets only one mail server be
//! installed.
//!
//! It runs as its own user, without root's rights: it relays only, on ports that everybody may use.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{Wants, certificate, end, ready, unpacked};
use crate::{
    ports,
    program::{is_root, run, skip},
};

/// Its user's name is built into Exim; the package's installation makes it, and so does `cargo x packages`.
const USER: &str = "Debian-exim";

/// A relay: what comes in at `port` goes to the next hop it was started with.
pub struct Exim {
    folder: TempDir,
    /// Where it takes mail from anybody, or with [`Wants::login`] from who logs in.
    pub port: u16,
    daemon: Child,
}

impl Exim {
    /// Starts it. `None` (after saying why) where there is no Exim or we are not root.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(next_hop: u16, wants: Wants<'_>) -> Option<Self> {
        let unpacked = unpacked("exim", "usr/sbin/exim4")?;
        if !is_root() {
            skip("Exim can only be started by root, who may change to its user");
            return None;
        }
        let (uid, gid) = user()?;
        let folder =
            tempfile::Builder::new().prefix("exim-").tempdir().expect("a folder can be made");
        let port = ports::free();
        prepare(folder.path(), &unpacked, &configuration(folder.path(), port, next_hop, wants));
        let log = File::create(folder.path().join("out")).expect("the log can be written");
        let errors = log.try_clone().expect("a file has two handles");
        let mut command = Command::new(folder.path().join("exim"));
        command.args(["-bdf", "-q2s", "-C"]).arg(folder.path().join("conf"));
        command.env("LD_LIBRARY_PATH", folder.path().join("lib")).uid(uid).gid(gid);
        let command = command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut daemon = command.spawn().expect("Exim can be started");
        ready(&mut daemon, port, &folder.path().join("out"));
        Some(Self { folder, port, daemon })
    }

    /// What it logged.
    pub fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        ["out", "log/main", "log/panic", "log/reject"].map(read).concat()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        end(&mut self.daemon);
        if std::thread::panicking() {
            eprintln!("Exim's log:\n{}", self.log());
        }
    }
}

/// User and group number.
fn user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").expect("there are users");
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let numbers = fields
        .filter(|fields| fields.first() == Some(&USER))
        .find_map(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)));
    if numbers.is_none() {
        skip(&format!("Exim's user {USER} is missing; run `cargo x packages`"));
    }
    numbers
}

/// Program and libraries are copied, for its user may not be allowed into the folder of the build.
fn prepare(folder: &Path, unpacked: &Path, configuration: &str) {
    for name in ["lib", "spool", "log"] {
        fs::create_dir(folder.join(name)).expect("folders can be made");
    }
    fs::copy(unpacked.join("usr/sbin/exim4"), folder.join("exim")).expect("Exim can be copied");
    for architecture in fs::read_dir(unpacked.join("usr/lib")).into_iter().flatten().flatten() {
        for library in fs::read_dir(architecture.path()).into_iter().flatten().flatten() {
            if library.file_name().to_string_lossy().contains(".so") {
                let copy = folder.join("lib").join(library.file_name());
                fs::copy(library.path(), copy).expect("libraries can be copied");
            }
        }
    }
    let _tlsa = certificate(folder);
    fs::write(folder.join("conf"), configuration).expect("the configuration can be written");
    // Set-user-id would make the loader ignore where the libraries are.
    run(Command::new("chmod").arg("0755").arg(folder).arg(folder.join("exim"))).good();
    run(Command::new("chown").args(["-R", &format!("{USER}:")]).arg(folder)).good();
    run(Command::new("chown").arg("root:").arg(folder.join("conf"))).good();
}

fn configuration(folder: &Path, port: u16, next_hop: u16, wants: Wants<'_>) -> String {
    let clients = match wants.login {
        Some(_) => "accept authenticated = *\n  deny message = 530 5.7.0 log in first",
        None => "accept",
    };
    let tls = if wants.tls { "hosts_require_tls = *" } else { "hosts_try_dane =" };
    let auth = if wants.auth.is_some() { "hosts_require_auth = *" } else { "hosts_try_auth =" };
    format!(
        "primary_hostname = exim.peer.test
spool_directory = {0}/spool
log_file_path = {0}/log/%s
pid_file_path = {0}/pid
exim_path = {0}/exim
keep_environment = LD_LIBRARY_PATH
local_interfaces = 127.0.0.1.{port}
tls_advertise_hosts = *
tls_certificate = {0}/cert.pem
tls_privatekey = {0}/key.pem
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}{{}}}}
dsn_advertise_hosts = *
chunking_advertise_hosts = *
message_size_limit = 100M
smtp_accept_max = 100
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  {clients}
data:
  accept
begin routers
everything:
  driver = manualroute
  route_list = * 127.0.0.1::{next_hop}
  transport = onward
  self = send
begin transports
onward:
  driver = smtp
  {tls}
  {auth}
begin retry
*   *   F,1h,1s
begin authenticators
{1}",
        folder.display(),
        authenticators(wants)
    )
}

/// Exim has its own: a condition for the server's side, words to say for the client's.
fn authenticators(wants: Wants<'_>) -> String {
    let (user, password) = wants.login.unwrap_or_default();
    let (our_user, our_password) = wants.auth.unwrap_or_default();
    let mut text = format!(
        "plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_set_id = $auth2
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
"
    );
    match wants.auth {
        Some(_) => text.push_str(&format!("  client_send = ^{our_user}^{our_password}\n")),
        None => text.push_str(&format!(
            "login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_set_id = $auth1
  server_condition = ${{if and{{{{eq{{$auth1}}{{{user}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
"
        )),
    }
    text
}
