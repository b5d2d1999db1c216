//! Signing in (RFC 4954), by every mechanism that somebody else speaks too: swaks, Python, Postfix and
//! its SASL library as our clients; Postfix with Dovecot, and Exim, as servers of ours. And between our
//! own two sides, with somebody in the middle.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use harness::{
    bed::{Bed, PASSWORD, USER},
    client::Client,
    maildir,
    peers::{DovecotAuth, Exim, Knows, Postfix, Wants},
    ports,
    program::{Ran, python, run, wait_for, wanted},
    sink::Sink,
    web::Web,
};

const CONTENT: &[u8] =
    b"From: <sender@from.test>\r\nSubject: x\r\nMessage-ID: <1@from.test>\r\n\r\n.dot\r\nend\r\n";

/// Every mechanism that a password is good for.
const ALL: &str = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 DIGEST-MD5 CRAM-SHA1 CRAM-MD5 NTLM \
                   PLAIN LOGIN";

/// A server of ours that has the user, with his password as it is, and offers these mechanisms.
fn bed(mechanisms: &str, tables: &str) -> Bed {
    bed_with(mechanisms, "", tables)
}

/// The same, with more said of AUTH.
fn bed_with(mechanisms: &str, more: &str, tables: &str) -> Bed {
    let quoted: Vec<String> = mechanisms.split_whitespace().map(|it| format!("\"{it}\"")).collect();
    let auth = format!("auth = {{ mechanisms = [{}]{more} }}\n", quoted.join(", "));
    let mut bed = Bed::new("");
    bed.configure_submission(&auth, tables);
    bed.add_user_with(&["--legacy"]);
    bed.start_again();
    bed
}

/// Hands a message to whoever listens there.
#[track_caller]
fn hand_over(port: u16, recipient: &str) {
    let mut client = Client::connect(port).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    let reply =
        client.transaction("sender@from.test", &[recipient], CONTENT).expect("the server answers");
    assert!(reply.starts_with("250"), "{reply}");
}

/// A login by swaks. `perl` is what its Perl is told besides.
fn swaks(program: &Path, perl: &str, port: u16, login: [&str; 3]) -> Ran {
    let (server, [mechanism, user, password]) = (format!("127.0.0.1:{port}"), login);
    let mut command = Command::new(program);
    command.env("PERL5OPT", perl).args(["--server", &server, "--tls", "--auth", mechanism]);
    command.args(["--auth-user", user, "--auth-password", password, "--from", USER]);
    run(command.args(["--to", "anna@here.test", "--quit-after", "AUTH"]))
}

/// A Perl module that makes swaks's NTLM version 2; by itself it is version 1.
fn second_version(bed: &Bed) -> String {
    let second = "package Second;\nuse Authen::NTLM;\nntlmv2(1);\n1;\n";
    write(bed.folder(), "Second.pm", second);
    format!("-I{} -MSecond", bed.folder().display())
}

/// How long a refusal is held back.
const DELAY: Duration = Duration::from_millis(400);

/// Limits that nothing here reaches, and always the same delay.
const PATIENT: &str = "[door.logins]\ndelay = \"400ms\"\ndelay_max = \"400ms\"\nper_client = 1000\nper_network = 1000\n\
                       per_user = 1000\n";

#[test]
fn swaks_signs_in_by_all_it_knows() {
    let Some(program) = wanted("swaks") else { return };
    let names = ", names = { SPA = \"NTLM\", MSN = \"NTLM\" }";
    let bed = bed_with(ALL, names, PATIENT);
    let second = second_version(&bed);
    let support = run(Command::new(&program).arg("--support")).good();
    let all = ["PLAIN", "LOGIN", "CRAM-MD5", "CRAM-SHA1", "DIGEST-MD5", "NTLM", "SPA", "MSN"];
    let base = |mechanism| if matches!(mechanism, "SPA" | "MSN") { "NTLM" } else { mechanism };
    let swaks = |login| {
        let began = Instant::now();
        let ran = swaks(&program, &second, bed.submission, login);
        (began.elapsed(), ran)
    };
    for mechanism in all {
        let basic = matches!(mechanism, "PLAIN" | "LOGIN");
        let known = basic || support.contains(&format!("AUTH {} supported", base(mechanism)));
        assert!(known, "swaks lacks Perl's modules for {mechanism}:\n{support}");
        let (_, right) = swaks([mechanism, USER, PASSWORD]);
        assert_eq!(right.status(), 0, "{mechanism}\n{}\n{}", right.text(), bed.log());
        assert!(right.text().contains("<~  235 2.7.0"), "{mechanism}\n{}", right.text());
        assert!(right.text().contains(&format!("~> AUTH {mechanism}")), "{}", right.text());
        // Whoever does not exist hears the same, and no sooner.
        for (user, password) in [(USER, "wrong"), ("nobody@here.test", PASSWORD)] {
            let (took, wrong) = swaks([mechanism, user, password]);
            assert_eq!(wrong.status(), 28, "{mechanism}, {user}\n{}", wrong.text());
            let heard = wrong.text();
            assert!(heard.contains("535 5.7.8 user or password is wrong"), "{mechanism}\n{heard}");
            assert!(took >= DELAY, "{mechanism}, {user}: {took:?}");
        }
    }
    for mechanism in all.map(base) {
        wait_for(&format!("{mechanism} in the log"), Duration::from_secs(10), || {
            bed.log().contains(&format!("\"mechanism\":\"{mechanism}\"")).then_some(())
        });
    }
    assert!(!bed.log().contains(PASSWORD), "the password shows");
}

#[test]
fn version_1_of_ntlm_is_named_and_taken_only_where_that_is_wanted() {
    let Some(program) = wanted("swaks") else { return };
    let strict = bed("NTLM", PATIENT);
    // Nobody was looked up: right or wrong is all the same.
    for password in [PASSWORD, "wrong"] {
        let refused = swaks(&program, "", strict.submission, ["NTLM", USER, password]);
        assert_eq!(refused.status(), 28, "{}", refused.text());
        let heard = refused.text();
        assert!(heard.contains("534 5.7.9 NTLM version 1 is too weak"), "{heard}");
    }
    strict.why(USER, &["AUTH NTLM", "answered by version 1 of NTLM"]);
    let lenient = bed_with("NTLM", ", ntlm_v1 = true", PATIENT);
    for perl in ["", &second_version(&lenient)] {
        let right = swaks(&program, perl, lenient.submission, ["NTLM", USER, PASSWORD]);
        assert_eq!(right.status(), 0, "{}\n{}", right.text(), lenient.log());
        for (user, password) in [(USER, "wrong"), ("nobody@here.test", PASSWORD)] {
            let wrong = swaks(&program, perl, lenient.submission, ["NTLM", user, password]);
            assert!(wrong.text().contains("535 5.7.8"), "{}", wrong.text());
        }
    }
}

#[test]
fn python_signs_in() {
    let bed = bed(ALL, "");
    let script = "
import smtplib, ssl, sys
port, mechanism, user, password = int(sys.argv[1]), *sys.argv[2:]
smtp = smtplib.SMTP('127.0.0.1', port)
smtp.starttls(context=ssl._create_unverified_context())
smtp.ehlo()
try:
    if mechanism:
        smtp.user, smtp.password = user, password
        how = getattr(smtp, 'auth_' + mechanism.lower().replace('-', '_'))
        print(smtp.auth(mechanism, how))
    else:
        print(smtp.login(user, password))
except smtplib.SMTPAuthenticationError as error:
    print(error.smtp_code)
smtp.quit()
";
    let port = bed.submission.to_string();
    // Without one, Python chooses: CRAM-MD5 first.
    for mechanism in ["", "CRAM-MD5", "PLAIN", "LOGIN"] {
        for (password, code) in [(PASSWORD, "235"), ("wrong", "535")] {
            let said = python(script, &[&port, mechanism, USER, password]).good();
            assert!(said.contains(code), "`{mechanism}` with {password}: {said}\n{}", bed.log());
        }
    }
}

/// Postfix relays to us, and signs in by that mechanism of Cyrus's library.
fn postfix_signs_in(mechanism: &str) {
    postfix_signs_in_at(&bed(ALL, ""), mechanism);
}

fn postfix_signs_in_at(bed: &Bed, mechanism: &str) {
    let wants = Wants {
        tls: true,
        auth: Some((USER, PASSWORD)),
        mechanisms: Some(mechanism),
        ..Wants::default()
    };
    let Some(postfix) = Postfix::start(bed.submission, wants) else { return };
    hand_over(postfix.port, "anna@here.test");
    let kept = maildir::wait(&bed.mailbox("anna"), 1).remove(0);
    assert!(String::from_utf8_lossy(&kept).contains("with ESMTPSA"), "no login");
    wait_for(&format!("{mechanism} in the log"), Duration::from_secs(10), || {
        bed.log().contains(&format!("\"mechanism\":\"{mechanism}\"")).then_some(())
    });
}

#[test]
fn postfix_signs_in_by_scram_sha_256() {
    postfix_signs_in("SCRAM-SHA-256");
}

#[test]
fn postfix_signs_in_by_scram_sha_1() {
    postfix_signs_in("SCRAM-SHA-1");
}

#[test]
fn postfix_signs_in_by_cram_md5() {
    postfix_signs_in("CRAM-MD5");
}

#[test]
fn postfix_signs_in_by_digest_md5() {
    postfix_signs_in("DIGEST-MD5");
}

#[test]
fn postfix_signs_in_by_ntlm_in_version_1() {
    // Cyrus's library does no other, unless it is told to.
    postfix_signs_in_at(&bed_with("NTLM", ", ntlm_v1 = true", ""), "NTLM");
}

/// The route to a smarthost that wants a login.
fn route(port: u16, mechanism: &str, user: &str, password: &str) -> String {
    format!(
        "[routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{port}\"\ntls = \"required\"\n\
         auth = {{ user = \"{user}\", password = \"{password}\", mechanisms = [\"{mechanism}\"] }}\n"
    )
}

#[test]
fn we_sign_in_at_postfix_with_dovecot() {
    let sink = Sink::start();
    let knows = Knows {
        mechanisms: "plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256",
        user: ("relay", "passWord1"),
        ..Knows::default()
    };
    let Some(dovecot) = DovecotAuth::start(knows) else { return };
    let socket = dovecot.socket();
    let wants = Wants { dovecot: Some(&socket), ..Wants::default() };
    let Some(postfix) = Postfix::start(sink.port, wants) else { return };
    let all = ["SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"];
    for (number, mechanism) in all.into_iter().enumerate() {
        let bed = Bed::start(&route(postfix.port, mechanism, "relay", "passWord1"));
        hand_over(bed.mx, "carol@next.test");
        let told = bed.why("carol@next.test", &[&format!("AUTH {mechanism}")]);
        assert!(!told.contains("passWord1") && !bed.log().contains("passWord1"), "{told}");
        sink.wait(number + 1);
    }
    let bed = Bed::start(&route(postfix.port, "SCRAM-SHA-256", "relay", "wrong"));
    hand_over(bed.mx, "carol@next.test");
    bed.why("carol@next.test", &["535 5.7.8"]);
}

#[test]
fn we_sign_in_at_postfix_with_cyrus() {
    let sink = Sink::start();
    let mechanisms = "SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 CRAM-MD5 NTLM PLAIN LOGIN";
    let wants = Wants { cyrus: Some((mechanisms, ("relay", "passWord1"))), ..Wants::default() };
    let Some(postfix) = Postfix::start(sink.port, wants) else { return };
    for (number, mechanism) in mechanisms.split(' ').enumerate() {
        let bed = Bed::start(&route(postfix.port, mechanism, "relay", "passWord1"));
        hand_over(bed.mx, "carol@next.test");
        let told = bed.why("carol@next.test", &["relayed"]);
        assert!(told.contains(&format!("AUTH {mechanism}")), "{told}");
        sink.wait(number + 1);
        let bed = Bed::start(&route(postfix.port, mechanism, "relay", "wrong"));
        hand_over(bed.mx, "carol@next.test");
        bed.why("carol@next.test", &["535 5.7.8"]);
    }
}

#[test]
fn we_bring_a_token_to_postfix_with_dovecot() {
    let sink = Sink::start();
    let asks = |request: &str| {
        let good = request.contains("token=ya29.good&") || request.ends_with("token=ya29.good");
        let told = match good {
            true => r#"{"active":true,"email":"anna@here.test","scope":"mail"}"#,
            false => r#"{"active":false}"#,
        };
        Some(told.to_owned())
    };
    let web = Web::start(asks);
    let url = format!("http://127.0.0.1:{}/introspect", web.port);
    let knows = Knows {
        mechanisms: "oauthbearer xoauth2",
        user: ("nobody", "none"),
        tokens: Some(&url),
        ..Knows::default()
    };
    let Some(dovecot) = DovecotAuth::start(knows) else { return };
    let socket = dovecot.socket();
    let wants = Wants { dovecot: Some(&socket), ..Wants::default() };
    let Some(postfix) = Postfix::start(sink.port, wants) else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let route = |mechanism: &str, token: &str| {
        let file = write(folder.path(), token, &format!("{token}\n"));
        format!(
            "[routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{}\"\ntls = \"required\"\nauth = {{ user = \"anna@here.test\", \
             token_file = \"{}\", mechanisms = [\"{mechanism}\"] }}\n",
            postfix.port,
            file.display()
        )
    };
    for (number, mechanism) in ["OAUTHBEARER", "XOAUTH2"].into_iter().enumerate() {
        let bed = Bed::start(&route(mechanism, "ya29.good"));
        hand_over(bed.mx, "carol@next.test");
        let told = bed.why("carol@next.test", &[&format!("AUTH {mechanism}")]);
        sink.wait(number + 1);
        assert!(!told.contains("ya29") && !bed.log().contains("ya29"), "the token shows: {told}");
        // Refused in two steps: we hear why, say that we have heard, and get the reply.
        let bed = Bed::start(&route(mechanism, "ya29.stale"));
        hand_over(bed.mx, "carol@next.test");
        let told = bed.why("carol@next.test", &["why the token was refused"]);
        assert!(told.contains("535 5.7.8") && told.contains("status"), "{told}");
    }
    assert!(web.asked() >= 4, "Dovecot asked about {} tokens", web.asked());
}

/// Dovecot tells in a challenge why a token won't do: whoever goes then has failed as well.
#[test]
fn a_token_that_dovecot_refuses_counts_though_the_client_goes() {
    let web = Web::start(|_: &str| Some(r#"{"active":false}"#.to_owned()));
    let url = format!("http://127.0.0.1:{}/introspect", web.port);
    let knows = Knows {
        mechanisms: "oauthbearer xoauth2",
        user: ("nobody", "none"),
        tokens: Some(&url),
        ..Knows::default()
    };
    let Some(dovecot) = DovecotAuth::start(knows) else { return };
    let port = ports::free();
    let bed = Bed::start(&format!(
        "[door.logins]\nper_client = 2\n[[accounts]]\nkind = \"dovecot\"\nsocket = \"{}\"\n\
         [[listener]]\nname = \"own\"\naddress = \"127.0.0.1:{port}\"\nrole = \"submission\"\ntls = \"none\"\n\
         auth = {{ without_tls = true, mechanisms = [\"OAUTHBEARER\"] }}\n",
        dovecot.socket().display()
    ));
    // `n,a=anna@here.test,^Aauth=Bearer ya29.stale^A^A`
    let token = "AUTH OAUTHBEARER bixhPWFubmFAaGVyZS50ZXN0LAFhdXRoPUJlYXJlciB5YTI5LnN0YWxlAQE=";
    for _ in 0..2 {
        Client::hello(port).expect(token, "334 eyJ");
    }
    Client::hello(port).expect(token, "454 4.7.0 too many failed logins");
    assert_eq!(web.asked(), 2);
    let shown = bed.command(&["status"]).good();
    assert!(shown.contains("login-rate 1"), "{shown}");
}

#[test]
fn we_sign_in_at_exim() {
    let sink = Sink::start();
    let wants = Wants { login: Some(("relay", "passWord1")), ..Wants::default() };
    let Some(exim) = Exim::start(sink.port, wants) else { return };
    for (number, mechanism) in ["PLAIN", "LOGIN"].into_iter().enumerate() {
        let bed = Bed::start(&route(exim.port, mechanism, "relay", "passWord1"));
        hand_over(bed.mx, "carol@next.test");
        bed.why("carol@next.test", &[&format!("AUTH {mechanism}")]);
        sink.wait(number + 1);
    }
}

/// A server of ours that wants a login and hands on to the sink.
fn smarthost(keys: &str, tables: &str, sink: &Sink) -> Bed {
    let onward = format!("[routes]\n\"next.test\" = \"127.0.0.1:{}\"\n{tables}", sink.port);
    let mut bed = Bed::new("");
    bed.configure_submission(keys, &onward);
    bed.add_user();
    bed.start_again();
    bed
}

/// A server of ours whose next hop is at that port, under TLS from the start; `more` of the route.
fn client_of(port: u16, more: &str) -> Bed {
    Bed::start(&format!(
        "[routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{port}\"\ntls = \"required\"\nimplicit_tls = true\n{more}"
    ))
}

/// Ends TLS on both sides and passes on what is said, as a proxy does that reads along. Ends with the value.
struct Between {
    port: u16,
    child: Child,
}

const BETWEEN: &str = "
import socket, ssl, sys, threading
port, onward, folder, version = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
latest = ssl.TLSVersion.TLSv1_3 if version == '1.3' else ssl.TLSVersion.TLSv1_2
ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ours.load_cert_chain(folder + '/between.pem', folder + '/between.key')
theirs = ssl._create_unverified_context()
ours.maximum_version = theirs.maximum_version = latest
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for end in (a, b):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
def serve(client):
    try:
        client = ours.wrap_socket(client, server_side=True)
        server = theirs.wrap_socket(socket.create_connection(('127.0.0.1', onward)))
    except OSError:
        return
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    pump(server, client)
listener = socket.create_server(('127.0.0.1', port))
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
";

impl Between {
    fn start(folder: &Path, onward: u16, version: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["between.test".to_owned()]);
        let made = made.expect("a certificate can be made");
        write(folder, "between.pem", &made.cert.pem());
        write(folder, "between.key", &made.signing_key.serialize_pem());
        let port = ports::free();
        let (from, to) = (port.to_string(), onward.to_string());
        let child = Command::new("python3")
            .args(["-c", BETWEEN, &from, &to])
            .arg(folder)
            .arg(version)
            .spawn();
        let between = Self { port, child: child.expect("Python can be started") };
        wait_for("the proxy", Duration::from_secs(10), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        between
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("a file can be written");
    file
}

#[test]
fn a_login_is_bound_to_the_tls_session() {
    let sink = Sink::start();
    let server = smarthost("", "", &sink);
    let auth = format!("auth = {{ user = \"{USER}\", password = \"{PASSWORD}\" }}\n");
    let client = client_of(server.tls, &auth);
    hand_over(client.mx, "carol@next.test");
    sink.wait(1);
    // Of all that is offered what proves most.
    client.why("carol@next.test", &["AUTH SCRAM-SHA-256-PLUS"]);
    let between = Between::start(server.folder(), server.tls, "1.3");
    let client = client_of(between.port, &auth);
    hand_over(client.mx, "carol@next.test");
    let told = client.why("carol@next.test", &["somebody in between"]);
    assert!(told.contains("535 5.7.8") && !told.contains("AUTH PLAIN"), "{told}");
    wait_for("why, in the server's log", Duration::from_secs(10), || {
        server.log().contains("another TLS session").then_some(())
    });
    drop(between);
    // In TLS 1.2 it is bound to the certificate, which somebody in between does not have.
    let between = Between::start(server.folder(), server.tls, "1.2");
    let client = client_of(between.port, &auth);
    hand_over(client.mx, "carol@next.test");
    let told = client.why("carol@next.test", &["somebody in between"]);
    assert!(told.contains("AUTH SCRAM-SHA-256-PLUS") && told.contains("535 5.7.8"), "{told}");
    assert_eq!(sink.wait(1).len(), 1, "mail went through somebody in the middle");
}

/// SCRAM-SHA-256-PLUS as RFC 5802 has it, by somebody else's hand: version of TLS, the way to bind, and
/// what to bind to besides.
const PLUS: &str = r#"
import base64, hashlib, hmac, smtplib, ssl, sys
port, version, flag, other, user, password = int(sys.argv[1]), *sys.argv[2:]
context = ssl._create_unverified_context()
context.maximum_version = getattr(ssl.TLSVersion, version)
smtp = smtplib.SMTP_SSL('127.0.0.1', port, context=context)
smtp.ehlo()
print('offered', 'SCRAM-SHA-256-PLUS' in smtp.esmtp_features.get('auth', ''))
b64 = lambda octets: base64.b64encode(octets).decode()
certificate = hashlib.sha256(smtp.sock.getpeercert(binary_form=True)).digest()
ways = {'tls-server-end-point': certificate, 'tls-unique': smtp.sock.get_channel_binding('tls-unique') or b''}
header = flag + ',,'
bound = ways.get(flag[2:], b'') if flag.startswith('p=') else b''
if other:
    bound = bytes(len(bound))
mechanism = 'SCRAM-SHA-256-PLUS' if flag.startswith('p=') else 'SCRAM-SHA-256'
bare = 'n=' + user + ',r=rOprNGfwEbeRWgbNEkqO'
code, first = smtp.docmd('AUTH', mechanism + ' ' + b64((header + bare).encode()))
if code != 334:
    print(code, first.decode()); sys.exit()
first = base64.b64decode(first).decode()
said = dict(part.split('=', 1) for part in first.split(','))
last = 'c=' + b64(header.encode() + bound) + ',r=' + said['r']
message = ','.join([bare, first, last]).encode()
salted = hashlib.pbkdf2_hmac('sha256', password.encode(), base64.b64decode(said['s']), int(said['i']))
sign = lambda key, text: hmac.new(key, text, 'sha256').digest()
key = sign(salted, b'Client Key')
proof = bytes(a ^ b for a, b in zip(key, sign(hashlib.sha256(key).digest(), message)))
code, text = smtp.docmd(b64((last + ',p=' + b64(proof)).encode()))
if code == 334:
    server = base64.b64decode(text).decode()
    proven = server == 'v=' + b64(sign(sign(salted, b'Server Key'), message))
    code, text = smtp.docmd('')
    print('proven', proven)
print(code, text.decode())
"#;

#[test]
fn a_login_is_bound_to_the_certificate_in_every_version_of_tls() {
    let mut bed = Bed::new(PATIENT);
    bed.add_user();
    bed.start_again();
    let port = bed.tls.to_string();
    let end_point = "p=tls-server-end-point";
    for (version, flag, other, expected) in [
        ("TLSv1_2", end_point, "", "proven True\n235"),
        ("TLSv1_3", end_point, "", "proven True\n235"),
        ("TLSv1_2", end_point, "other", "535 5.7.8"),
        ("TLSv1_3", end_point, "other", "535 5.7.8"),
        // It can't, and that is believed; it could, and somebody took -PLUS out of what it saw.
        ("TLSv1_2", "n", "", "proven True\n235"),
        ("TLSv1_2", "y", "", "535 5.7.8"),
        ("TLSv1_3", "y", "", "535 5.7.8"),
        // Our library does not tell that name of the session.
        ("TLSv1_2", "p=tls-unique", "", "501"),
        ("TLSv1_3", "p=tls-nonsense", "", "501"),
    ] {
        let said = python(PLUS, &[&port, version, flag, other, USER, PASSWORD]).good();
        assert!(said.contains("offered True"), "{version}: {said}");
        assert!(said.contains(expected), "{version} {flag} {other}: {said}\n{}", bed.log());
    }
    wait_for("the causes in the log", Duration::from_secs(10), || {
        let log = bed.log();
        let causes = ["that of another TLS session", "kept from binding the login"];
        causes.iter().all(|cause| log.contains(cause)).then_some(())
    });
}

#[test]
fn a_certificate_signs_in() {
    let sink = Sink::start();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (issuer_key, key) = (rcgen::KeyPair::generate(), rcgen::KeyPair::generate());
    let (issuer_key, key) = (issuer_key.expect("a key"), key.expect("a key"));
    let mut of_issuer = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    of_issuer.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = of_issuer.self_signed(&issuer_key).expect("a certificate can be made");
    let mut of_user = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    let name = USER.try_into().expect("an address is ASCII");
    of_user.subject_alt_names.push(rcgen::SanType::Rfc822Name(name));
    of_user.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ClientAuth);
    let signer = rcgen::Issuer::new(of_issuer, issuer_key);
    let certificate = of_user.signed_by(&key, &signer).expect("a certificate can be made");
    let authority = write(folder.path(), "ca.pem", &issuer.pem());
    let certificate = write(folder.path(), "client.pem", &certificate.pem());
    let key = write(folder.path(), "client.key", &key.serialize_pem());
    let keys = format!("client_ca = \"{}\"\n", authority.display());
    let accounts = "[[accounts]]\nkind = \"certificates\"\n[[accounts]]\nkind = \"users\"\n";
    let server = smarthost(&keys, accounts, &sink);
    let shown = format!(
        "tls_certificate = \"{}\"\ntls_key = \"{}\"\n",
        certificate.display(),
        key.display()
    );
    let client =
        client_of(server.tls, &format!("{shown}auth = {{ mechanisms = [\"EXTERNAL\"] }}\n"));
    hand_over(client.mx, "carol@next.test");
    sink.wait(1);
    client.why("carol@next.test", &["AUTH EXTERNAL"]);
    wait_for("the user in the server's log", Duration::from_secs(10), || {
        let log = server.log();
        (log.contains("\"mechanism\":\"EXTERNAL\"") && log.contains(USER)).then_some(())
    });
    // Without a certificate the mechanism is not even offered.
    let auth = format!("auth = {{ user = \"{USER}\", password = \"{PASSWORD}\" }}\n");
    let other = client_of(server.tls, &auth);
    hand_over(other.mx, "carol@next.test");
    sink.wait(2);
    assert!(!other.why("carol@next.test", &["AUTH SCRAM"]).contains("EXTERNAL"), "it was offered");
}
