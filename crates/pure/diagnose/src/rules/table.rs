//! Every rule's name, what it means, and what evidence it needs: the words that findings carry, for machines,
//! pages and the lab. A name, once given, stays.

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleName {
    /// The word in [`Finding::rule`](crate::Finding::rule).
    pub name: &'static str,
    /// What it says.
    pub means: &'static str,
    /// What has to be at hand for it.
    pub evidence: &'static str,
}

const fn row(name: &'static str, means: &'static str, evidence: &'static str) -> RuleName {
    RuleName { name, means, evidence }
}

const REPLY: &str = "a reply: from a session, an attempt of ours, a report, or alone";
const SESSION: &str = "a session, from whatever source";
const WIRE: &str = "packets";
const NO_REPLY: &str = "an attempt, a session or a report without a reply";

/// The rows: first what a session proves, then what replies and other troubles say.
pub const RULE_NAMES: &[RuleName] = &[
    row(
        "address-translated",
        "The server sees the client under another address: NAT or a proxy. A remark.",
        "an EHLO reply that quotes the client's address, and the client's address here",
    ),
    row(
        "bdat-blocked",
        "BDAT is refused though CHUNKING is offered, or the session dies at a chunk.",
        SESSION,
    ),
    row(
        "capture-gap",
        "The evidence itself lacks packets, a side or the beginning. Nobody's fault.",
        WIRE,
    ),
    row(
        "command-altered",
        "A reply quotes a command that the client did not send: it was changed on the way.",
        "a session as the client or the wire has it",
    ),
    row(
        "command-missing",
        "A command came without the one before it, and the server said so; who left it out or took it away depends on where the evidence was gathered.",
        SESSION,
    ),
    row("command-nested", "MAIL came before the transaction under way had ended.", SESSION),
    row(
        "command-syntax",
        "A command is written wrong: a missing colon, missing brackets.",
        SESSION,
    ),
    row(
        "command-taken-away",
        "A command was sent and got a good answer, and the server says that it never came.",
        SESSION,
    ),
    row(
        "early-talker",
        "The client spoke before the greeting was complete.",
        "a session from its beginning",
    ),
    row("ehlo-refused", "EHLO is not known to a server whose banner says ESMTP.", SESSION),
    row(
        "esmtp-stripped",
        "EHLO is answered by a single line though the banner says ESMTP.",
        SESSION,
    ),
    row("gateway", "A gateway or firewall product that is known by its words. A remark.", SESSION),
    row(
        "keywords-masked",
        "Keywords of the EHLO reply are overwritten with X; candidates by their length.",
        SESSION,
    ),
    row("length-limit", "A short command is refused as too long.", SESSION),
    row(
        "line-endings",
        "Command lines end with LF or CR alone.",
        "a source that records line endings: packets",
    ),
    row("login-again", "A second login was tried in one session. A remark.", SESSION),
    row("malformed-reply", "A reply breaks RFC 5321 section 4.2.", SESSION),
    row("more-refusals", "More commands were refused than are told one by one.", SESSION),
    row(
        "mtu-black-hole",
        "Full-size segments are sent again and again and never acknowledged, shorter ones pass.",
        WIRE,
    ),
    row(
        "no-command",
        "A refused line is no command: mistyped, another protocol, or a word that the server does not know.",
        SESSION,
    ),
    row("no-room", "One end told for long that its buffer is full.", WIRE),
    row("offer-refused", "A verb that the server just offered is not known to it.", SESSION),
    row(
        "pipelining-broken",
        "Of commands that were sent together only the first are answered.",
        SESSION,
    ),
    row(
        "pix-fixup",
        "The banner is masked with asterisks: Cisco PIX or ASA, and what follows from it.",
        SESSION,
    ),
    row(
        "reset",
        "The connection was reset in the midst of things, by packets of the side that is named.",
        SESSION,
    ),
    row(
        "reset-forged",
        "The reset came from somebody else than the host in whose name it was sent.",
        WIRE,
    ),
    row(
        "scanner-proxy",
        "A virus scanner's proxy answers in the server's place. A remark.",
        SESSION,
    ),
    row("slow", "An answer took long. A remark.", "a session with times"),
    row("starttls-garbled", "STARTTLS was offered and, when used, not known.", SESSION),
    row(
        "starttls-stripped",
        "STARTTLS is demanded and was not offered, or is missing at a provider that always offers it.",
        SESSION,
    ),
    row("tarpit", "Many answers took long. A remark.", "a session with times"),
    row("tls-alert", "One side ended the TLS handshake with an alert.", WIRE),
    row(
        "tls-intercepted",
        "The certificate is one that a scanner or firewall issues.",
        "packets up to TLS 1.2, or a decrypted session",
    ),
    row("x-link2state", "The session died of X-LINK2STATE, or it was refused (a remark).", SESSION),
    row("xexch50", "The session died of XEXCH50, or it was refused (a remark).", SESSION),
    row(
        "blocklist",
        "An address or a domain is on a blocklist; which one, and where to look.",
        REPLY,
    ),
    row("certificate", "The server's certificate can't be verified.", NO_REPLY),
    row(
        "certificate-expired",
        "The server's certificate is outside its time of validity.",
        NO_REPLY,
    ),
    row("closed", "The connection was closed instead of an answer.", NO_REPLY),
    row("connection-refused", "Nothing listens there, or a firewall says so.", NO_REPLY),
    row("connection-timeout", "No answer to the attempt to connect.", NO_REPLY),
    row("content", "What is in the message is refused: spam, virus, attachment.", REPLY),
    row("dane", "The server's certificate does not match its TLSA records (DANE).", NO_REPLY),
    row("dns-failure", "The name servers gave no usable answer.", NO_REPLY),
    row("exchange-login", "Exchange servers could not log in at each other.", REPLY),
    row("greylisting", "Strangers are asked to come back.", REPLY),
    row(
        "kerberos",
        "Kerberos kept us from logging in: ticket, key, clock, realm or KDC.",
        "our own attempt",
    ),
    row("login-failed", "The login could not be finished.", REPLY),
    row("login-mechanism", "This way of logging in is not accepted, or not without TLS.", REPLY),
    row("login-refused", "User name and password are not accepted.", REPLY),
    row("login-wanted", "The server wants a login first.", REPLY),
    row("loop-to-self", "The MX records lead back to the sending server.", NO_REPLY),
    row("mailbox", "Writing into the local mailbox failed.", "our own attempt"),
    row("mailbox-full", "The mailbox has no room.", REPLY),
    row(
        "meaning",
        "What code or status mean at that step, where nothing more precise is known.",
        REPLY,
    ),
    row("mta-sts", "The server does not fulfil the MTA-STS policy of its domain.", NO_REPLY),
    row("no-connection", "No connection came about, for another reason.", NO_REPLY),
    row("no-smtp", "What answered there does not speak SMTP.", SESSION),
    row("no-such-domain", "The recipient's domain does not exist.", NO_REPLY),
    row("no-such-mailbox", "The domain has no such mailbox.", REPLY),
    row("not-tried", "The attempt was not for this recipient.", "our own attempt"),
    row("null-mx", "The domain takes no mail by its own declaration.", NO_REPLY),
    row("ours", "The sending server itself could not do it.", "our own attempt"),
    row(
        "out-of-order",
        "The server misses a command; the dialogue that would show which is not at hand.",
        REPLY,
    ),
    row("rate", "Too much in a time.", REPLY),
    row("relay-denied", "The server does not relay for this client.", REPLY),
    row("relayed", "The next hop took the message over.", "our own attempt"),
    row(
        "reverse-name",
        "The client's address has no proper name, or the name at EHLO does not fit.",
        REPLY,
    ),
    row("sender-authentication", "SPF, DKIM or DMARC did not pass.", REPLY),
    row(
        "server-unproven",
        "The server could not prove that it knows the password.",
        "an attempt of ours",
    ),
    row("silence", "No answer came in time.", NO_REPLY),
    row(
        "silence-after-content",
        "Everything passed until the content; then nothing.",
        "an attempt of ours",
    ),
    row("starttls-refused", "The server offers TLS and could not do it when asked.", REPLY),
    row("tls", "TLS did not come about.", NO_REPLY),
    row("tls-incompatible", "Both have no version or algorithm of TLS in common.", NO_REPLY),
    row("tls-wanted", "The server takes mail only under TLS.", REPLY),
    row("unknown", "The evidence does not tell more than what happened.", NO_REPLY),
    row("unreachable", "There is no way through the network.", NO_REPLY),
];

/// Whether that is the name of a rule: of this table, or of a class of refusals.
pub fn is_rule(name: &str) -> bool {
    RULE_NAMES.iter().any(|row| row.name == name)
        || crate::Class::all().any(|class| class.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_once_and_each_a_word() {
        let mut names: Vec<&str> = RULE_NAMES.iter().map(|row| row.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for row in RULE_NAMES {
            let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(row.name.chars().all(is_word) && row.means.ends_with('.'), "{row:?}");
        }
    }
}
