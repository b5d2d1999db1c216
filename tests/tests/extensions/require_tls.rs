//! REQUIRETLS (RFC 8689): to no next hop that does not promise the same inside verified TLS.

use harness::{
    bed::Bed,
    maildir,
    peers::{Postfix, Unbound, Wants},
    program::python,
    sink::Sink,
};

/// STARTTLS, and then what is asked for: Python has TLS at hand.
const SEND: &str = r#"
import smtplib, ssl, sys
port, mail, recipients, head = int(sys.argv[1]), sys.argv[2], sys.argv[3].split(','), sys.argv[4]
client = smtplib.SMTP('127.0.0.1', port, 'client.test', timeout=60)
assert client.docmd('EHLO client.test')[0] == 250
clear = client.docmd('MAIL FROM:<anna@here.test> REQUIRETLS')
assert clear[0] == 555, clear
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
client.starttls(context=context)
offer = client.docmd('EHLO client.test')[1].decode()
assert 'REQUIRETLS' in offer, offer
for line in [mail] + ['RCPT TO:<%s>' % recipient for recipient in recipients]:
    reply = client.docmd(line)
    assert reply[0] == 250, (line, reply)
reply = client.data('Subject: x\r\n%s\r\ntext\r\n' % head)
assert reply[0] == 250, reply
client.quit()
"#;

#[track_caller]
pub(crate) fn send(bed: &Bed, mail: &str, recipients: &[&str], head: &str) {
    let port = bed.mx.to_string();
    python(SEND, &[&port, mail, &recipients.join(","), head]).good();
}

pub(crate) const STRICT: &str = "MAIL FROM:<anna@here.test> REQUIRETLS";

#[test]
fn it_goes_on_only_where_it_is_kept() {
    let far = Bed::start("[domains.\"far.test\"]\nmailboxes = [\"carol\"]\n");
    let (sink, origin) = (Sink::start(), Sink::start());
    let Some(postfix) = Postfix::start(sink.port, Wants::default()) else { return };
    let route = |domain: &str, port: u16, issuers: &std::path::Path, name: &str| {
        format!(
            "[domains.\"{domain}\"]\nkind = \"relay\"\n[routes.\"{domain}\"]\nnext_hop = \"127.0.0.1:{port}\"\n\
             tls_authorities = \"{}\"\ntls_names = \"{name}\"\ntls = \"verified\"\n",
            issuers.display()
        )
    };
    let certificate = far.data().join("tls/certificate.pem");
    let tables = [
        // Offers it, and proves its name.
        route("far.test", far.mx, &certificate, "mx.here.test"),
        // Proves its name, and does not offer it.
        route("old.test", postfix.port, &postfix.certificate(), "peer.test"),
        // Offers no TLS.
        route("clear.test", sink.port, &certificate, "mx.here.test"),
        format!("[routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{}\"\n", origin.port),
    ];
    let bed = Bed::start(&tables.concat());
    send(&bed, STRICT, &["carol@far.test"], "");
    let kept = maildir::wait(&far.data().join("mail/far.test/carol"), 1);
    let kept = String::from_utf8_lossy(&kept[0]);
    assert!(kept.contains("with ESMTPS") && kept.contains("text\r\n"), "{kept}");
    let told = bed.why("carol@far.test", &["relayed"]);
    assert!(told.contains("REQUIRETLS"), "{told}");

    send(&bed, STRICT, &["carol@old.test"], "");
    let report = maildir::wait(&bed.mailbox("anna"), 1);
    let report = String::from_utf8_lossy(&report[0]);
    assert!(report.contains("Status: 5.7.30"), "{report}");
    send(&bed, STRICT, &["carol@clear.test"], "");
    let report = maildir::wait(&bed.mailbox("anna"), 2);
    let report = report.iter().map(|report| String::from_utf8_lossy(report)).collect::<String>();
    assert_eq!(report.matches("Status: 5.7.30").count(), 2, "{report}");
    assert!(sink.taken().is_empty(), "nothing got away");

    // Its report goes where there is no TLS, too, or nobody would hear: without the body (section 5).
    send(&bed, "MAIL FROM:<sender@next.test> REQUIRETLS RET=FULL", &["carol@clear.test"], "");
    let report = origin.wait(1).remove(0);
    let content = String::from_utf8_lossy(&report.content);
    assert!(report.mail.starts_with("MAIL FROM:<>"), "{}", report.mail);
    assert!(content.contains("Status: 5.7.30"), "{content}");
    assert!(
        content.contains("text/rfc822-headers") && !content.contains("\r\ntext\r\n"),
        "{content}"
    );
}

/// Hosts that the DNS names are good for it only where DNSSEC vouches for them (section 4.2.1).
#[test]
fn dnssec_has_to_vouch_for_the_host_and_dane_does_for_its_certificate() {
    const DIGEST: &str = "import hashlib, ssl, sys\n\
        der = ssl.PEM_cert_to_DER_cert(open(sys.argv[1]).read())\nprint(hashlib.sha256(der).hexdigest())";
    let domains = ["far.test", "far.open"];
    let local = domains.map(|domain| format!("[domains.\"{domain}\"]\nmailboxes = [\"carol\"]\n"));
    let far = Bed::start(&local.concat());
    let certificate = far.data().join("tls/certificate.pem").display().to_string();
    let digest = python(DIGEST, &[&certificate]).good();
    let signed = format!(
        "far.test. IN MX 10 mx.far.test.\nmx.far.test. IN A 127.0.0.1\n\
         _{}._tcp.mx.far.test. IN TLSA 3 0 1 {digest}",
        far.mx
    );
    let open = "far.open. IN MX 10 mx.far.test.\n";
    let Some(unbound) = Unbound::start(&signed, open, &[]) else { return };
    let tables = domains.map(|domain| {
        format!(
            "[domains.\"{domain}\"]\nkind = \"relay\"\n[routes.\"{domain}\"]\nport = {}\n",
            far.mx
        )
    });
    let bed = Bed::start(&format!("[dns]\nservers = [\"{}\"]\n{}", unbound.at, tables.concat()));
    send(&bed, STRICT, &["carol@far.test"], "");
    maildir::wait(&far.data().join("mail/far.test/carol"), 1);
    let told = bed.why("carol@far.test", &["relayed"]);
    assert!(told.contains("by DANE-EE") && told.contains("REQUIRETLS"), "{told}");
    send(&bed, STRICT, &["carol@far.open"], "");
    let report = maildir::wait(&bed.mailbox("anna"), 1);
    let report = String::from_utf8_lossy(&report[0]);
    assert!(report.contains("Status: 5.7.30"), "{report}");
    assert!(!far.data().join("mail/far.open/carol").exists(), "nothing got away");
}
