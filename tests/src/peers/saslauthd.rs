//! Debian's saslauthd, asking PAM, which asks a script.

use std::{
    fs::{self, File},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::end;
use crate::program::{is_root, skip, wait_for, wanted};

/// A daemon with a PAM service of its own. It ends with the value.
pub struct Saslauthd {
    folder: TempDir,
    /// What it is to be asked for: PAM's file.
    pub service: String,
    child: Child,
}

impl Saslauthd {
    /// Starts it; it knows `anna` with the password `secret-Pa55`. `None` (after saying why) where there is
    /// none, or we may not write PAM's file.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start() -> Option<Self> {
        let program = wanted("saslauthd")?;
        if !is_root() {
            skip("PAM's services are root's to add");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("saslauthd-").tempdir().expect("a folder");
        let script = folder.path().join("check");
        // With expose_authtok the password comes on standard input, with a NUL behind it.
        let text = "#!/bin/sh\npassword=$(tr -d '\\000')\n\
                    [ \"$PAM_USER\" = anna ] && [ \"$password\" = secret-Pa55 ]\n";
        fs::write(&script, text).expect("the script can be written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        let service = format!("mailwright-test-{}", std::process::id());
        let shown = script.display();
        let pam = format!(
            "auth required pam_exec.so expose_authtok quiet {shown}\naccount required pam_permit.so\n"
        );
        fs::write(pam_file(&service), pam).expect("PAM's file can be written");
        let log = File::create(folder.path().join("out")).expect("the log can be written");
        let errors = log.try_clone().expect("a file has two handles");
        let mut command = Command::new(program);
        command.args(["-d", "-a", "pam", "-n", "1", "-m"]).arg(folder.path());
        // At its end it ends its whole process group, which would be ours.
        let command = command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().expect("saslauthd can be started");
        let daemon = Self { folder, service, child };
        let socket = daemon.socket();
        wait_for("saslauthd's socket", std::time::Duration::from_secs(20), || {
            std::os::unix::net::UnixStream::connect(&socket).ok()
        });
        Some(daemon)
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("mux")
    }
}

impl Drop for Saslauthd {
    fn drop(&mut self) {
        end(&mut self.child);
        // The folder would go by itself; this one is the system's.
        let _removed = fs::remove_file(pam_file(&self.service));
    }
}

fn pam_file(service: &str) -> PathBuf {
    PathBuf::from("/etc/pam.d").join(service)
}
