//! A web server for MTA-STS policies: Python's, on port 443 of an address of the loopback that is its own, with
//! certificates of an authority that is made here.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::end;
use crate::program::{is_root, skip, wanted};

/// Serves `HOST/mta-sts.txt` with the certificate `HOST.pem`; a `HOST/redirect` names where it sends its clients
/// instead.
const SERVE: &str = r#"
import http.server, os, ssl, sys
folder, address = sys.argv[1], sys.argv[2]

class Policies(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        place = os.path.join(folder, os.path.basename(self.headers['Host'].split(':')[0]))
        redirect = os.path.join(place, 'redirect')
        if os.path.exists(redirect):
            self.send_response(302)
            self.send_header('Location', open(redirect).read())
            self.send_header('Content-Length', '0')
            self.end_headers()
            return
        body = open(os.path.join(place, 'mta-sts.txt'), 'rb').read()
        self.send_response(200 if self.path == '/.well-known/mta-sts.txt' else 404)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

def context(host):
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(os.path.join(folder, host + '.pem'))
    return own

first = context('first')
def choose(socket, name, _):
    socket.context = context(os.path.basename(name)) if name else first
first.sni_callback = choose
server = http.server.ThreadingHTTPServer((address, 443), Policies)
server.socket = first.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

/// What a domain publishes.
pub enum Publishes<'a> {
    /// This policy, under a certificate that is as it should be.
    Policy(&'a str),
    /// This policy, under one that has expired.
    Expired(&'a str),
    /// A redirect to another domain's policy.
    Redirect(&'a str),
}

/// An authority, and the web server.
pub struct PolicyHost {
    folder: TempDir,
    /// Where it listens.
    pub address: Ipv4Addr,
    authority: Issuer<'static, KeyPair>,
    child: Option<Child>,
}

impl PolicyHost {
    /// An authority without a server so far. `None` (after saying why) where there is no Python, or where we may
    /// not listen on port 443.
    ///
    /// # Panics
    ///
    /// When there is no place for it.
    pub fn new() -> Option<Self> {
        wanted("python3")?;
        if !is_root() {
            skip("only root may listen on port 443");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("policies-").tempdir();
        let folder = folder.expect("a folder can be made");
        let key = KeyPair::generate().expect("a key can be made");
        let mut authority = CertificateParams::new(Vec::new()).expect("no names are wrong");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = authority.self_signed(&key).expect("a certificate can be made");
        fs::write(folder.path().join("authority.pem"), own.pem()).expect("it can be written");
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 83, high, low.max(1));
        let authority = Issuer::new(authority, key);
        Some(Self { folder, address, authority, child: None })
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A certificate for these names, in one file with its key.
    ///
    /// # Panics
    ///
    /// When it can't be made.
    pub fn certificate(&self, file: &str, names: &[&str], expired: bool) -> PathBuf {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut wanted = CertificateParams::new(names).expect("names of hosts");
        if expired {
            wanted.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().expect("a key can be made");
        let own = wanted.signed_by(&key, &self.authority).expect("a certificate can be made");
        let path = self.folder.path().join(format!("{file}.pem"));
        fs::write(&path, own.pem() + &key.serialize_pem()).expect("it can be written");
        path
    }

    /// Publishes something at `mta-sts.DOMAIN`, whose address must be [`address`](Self::address).
    ///
    /// # Panics
    ///
    /// When it can't be written.
    pub fn publish(&self, domain: &str, what: &Publishes<'_>) {
        let host = format!("mta-sts.{domain}");
        let expired = matches!(what, Publishes::Expired(_));
        self.certificate(&host, &[&host], expired);
        let place = self.folder.path().join(&host);
        fs::create_dir_all(&place).expect("a folder can be made");
        let (name, text) = match what {
            Publishes::Policy(text) | Publishes::Expired(text) => {
                ("mta-sts.txt", (*text).to_owned())
            }
            Publishes::Redirect(to) => {
                ("redirect", format!("https://mta-sts.{to}/.well-known/mta-sts.txt"))
            }
        };
        write(&place.join(name), &text);
    }

    /// Starts the server.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub fn serve(&mut self) {
        self.certificate("first", &["nobody.test"], false);
        let mut command = Command::new("python3");
        command.args(["-c", SERVE]).arg(self.folder.path()).arg(self.address.to_string());
        let log = fs::File::create(self.folder.path().join("log")).expect("a log can be written");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.child = Some(child.expect("Python can be started"));
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((self.address, 443)).is_err() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "the web server does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for PolicyHost {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            end(child);
        }
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
