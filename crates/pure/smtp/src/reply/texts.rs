//! The replies that the server machine and its driver give: every text, under a name.
//!
//! A stranger reads them: true, short, no configuration revealed, and what would help. In the order
//! of a session. (The `250` after content is [`Reply::accepted`], beside its proof.)

mod extended;

use std::borrow::Cow;
use std::{fmt::Write, time::Duration};

use super::Reply;

/// What has to come before the command that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are the verbs
pub enum Missing {
    Ehlo,
    Mail,
    Rcpt,
    /// A transaction is open, or broken: it has to be ended first.
    Rset,
    /// The client was turned away: nothing else is left.
    Quit,
    /// BDAT has begun the content; only BDAT goes on with it.
    Bdat,
}

/// Greeting, EHLO and what ends a session.
impl Reply {
    /// `220`: the first word is a domain (RFC 5321 section 4.2).
    pub fn greeting(hostname: &str, banner: &str) -> Self {
        Self::bare(220, format!("{hostname} {banner}"))
    }

    /// `250` to HELO: one line (RFC 5321 section 4.1.1.1).
    pub fn helo(hostname: &str) -> Self {
        Self::bare(250, hostname.to_owned())
    }

    /// `221` to QUIT.
    pub fn goodbye() -> Self {
        Self::new(221, (2, 0, 0), "goodbye")
    }

    /// `250` to RSET.
    pub fn reset() -> Self {
        Self::new(250, (2, 0, 0), "reset")
    }

    /// `250` to NOOP.
    pub fn still_here() -> Self {
        Self::new(250, (2, 0, 0), "still here")
    }

    /// `421`: this client, or all of them, have too many connections open.
    pub fn too_many_connections() -> Self {
        Self::new(421, (4, 7, 0), "too many connections, try again later")
    }

    /// `554` instead of the greeting, for a client that does not wait for it.
    pub fn talked_too_early() -> Self {
        Self::new(554, (5, 5, 1), "wait for the greeting before you send")
    }

    /// `421`: nothing came for too long.
    pub fn idle_too_long() -> Self {
        Self::new(421, (4, 4, 2), "nothing heard for too long, closing")
    }

    /// `421`: the server stops.
    pub fn shutting_down() -> Self {
        Self::new(421, (4, 3, 2), "shutting down, try again later")
    }

    /// `421`: this session goes on no longer.
    pub fn too_many_errors() -> Self {
        Self::new(421, (4, 7, 0), "too many errors, closing")
    }

    /// `421`: a line has no end.
    pub fn endless_line() -> Self {
        Self::new(421, (4, 5, 2), "line without an end, closing")
    }

    /// `554`: the client speaks another protocol.
    pub fn not_smtp() -> Self {
        Self::new(554, (5, 5, 1), "this is SMTP, closing")
    }

    /// `554`: a TLS handshake came where the session starts in clear.
    pub fn tls_too_early() -> Self {
        Self::new(554, (5, 5, 1), "this port starts in clear: say EHLO, then STARTTLS")
    }
}

/// Commands that are wrong in themselves.
impl Reply {
    /// `500`: no such verb.
    pub fn unknown_command() -> Self {
        Self::new(500, (5, 5, 2), "unknown command")
    }

    /// `500`: more octets than a command line may have.
    pub fn line_too_long() -> Self {
        Self::new(500, (5, 5, 2), "line too long")
    }

    /// `500`: the same inside AUTH (RFC 4954 section 4).
    pub fn auth_line_too_long() -> Self {
        Self::new(500, (5, 5, 6), "line too long")
    }

    /// `500`: a bare LF in a command line.
    pub fn bare_lf_in_command() -> Self {
        Self::new(500, (5, 5, 2), "bare LF in a command: end lines with CRLF")
    }

    /// `500`: a bare CR, a NUL or another control character in a command line.
    pub fn control_in_command() -> Self {
        Self::new(500, (5, 5, 2), "control character in a command")
    }

    /// `500`: octets over 127 that are not UTF-8 (RFC 6531 section 3.3).
    pub fn not_utf8() -> Self {
        Self::new(500, (5, 5, 2), "octets that are not UTF-8")
    }

    /// `502`: a verb that RFCs know and this server does not do.
    pub fn not_implemented() -> Self {
        Self::new(502, (5, 5, 1), "command not implemented")
    }

    /// `501`: what the command looks like when it is right.
    pub fn syntax(right: &'static str) -> Self {
        Self::new(501, (5, 5, 4), right)
    }

    /// `501`: EHLO's or HELO's argument is no domain and no address literal.
    pub fn bad_helo() -> Self {
        Self::new(501, (5, 5, 4), "say your domain, or your address in brackets, like [192.0.2.1]")
    }

    /// `501` to MAIL; `what` says how the path is wrong.
    pub fn bad_reverse_path(what: &'static str) -> Self {
        Self::new(501, (5, 1, 7), what)
    }

    /// `501` to RCPT; `what` says how the path is wrong.
    pub fn bad_forward_path(what: &'static str) -> Self {
        Self::new(501, (5, 1, 3), what)
    }

    /// `550` to MAIL: a reverse-path that is not ASCII, without SMTPUTF8 (RFC 6531 section 3.5).
    pub fn reverse_path_needs_smtputf8() -> Self {
        Self::new(550, (5, 6, 7), "the address is not ASCII: say SMTPUTF8 in MAIL")
    }

    /// `553` to RCPT: the same of a forward-path.
    pub fn forward_path_needs_smtputf8() -> Self {
        Self::new(553, (5, 6, 7), "the address is not ASCII: say SMTPUTF8 in MAIL")
    }

    /// `555`: a parameter that no offered extension has (RFC 5321 section 4.1.1.11).
    pub fn unknown_parameter(keyword: &str) -> Self {
        let mut text = String::from("unknown parameter `");
        // A line has 512 octets; who sent it knows the rest.
        text.extend(keyword.chars().take(40).filter(|c| c.is_ascii_graphic()));
        text.push('`');
        Self::new(555, (5, 5, 4), text)
    }

    /// `501`: a parameter's value; `right` says what it has to be.
    pub fn bad_parameter(right: impl Into<Cow<'static, str>>) -> Self {
        Self::new(501, (5, 5, 4), right)
    }

    /// `501`: the same parameter again.
    pub fn parameter_twice() -> Self {
        Self::new(501, (5, 5, 4), "a parameter was given twice")
    }
}

/// Commands that come at the wrong time.
impl Reply {
    /// `503` (`554` has RFC 5321 section 3.3 for DATA after refused recipients only).
    pub fn out_of_sequence(missing: Missing) -> Self {
        let text = match missing {
            Missing::Ehlo => "out of sequence: send EHLO first",
            Missing::Mail => "out of sequence: send MAIL first",
            Missing::Rcpt => "out of sequence: send RCPT first",
            Missing::Rset => "out of sequence: a transaction is open, send RSET first",
            Missing::Quit => "this server takes nothing from you: send QUIT",
            Missing::Bdat => "out of sequence: content has begun by BDAT, send BDAT or RSET",
        };
        Self::new(503, (5, 5, 1), text)
    }

    /// `554` to DATA or BDAT when every RCPT was refused (RFC 5321 section 3.3).
    pub fn no_recipients() -> Self {
        Self::new(554, (5, 5, 1), "no recipient was accepted")
    }

    /// `503`: AUTH only once a session (RFC 4954 section 4).
    pub fn already_authenticated() -> Self {
        Self::new(503, (5, 5, 1), "already authenticated")
    }

    /// `503`: STARTTLS inside TLS.
    pub fn already_tls() -> Self {
        Self::new(503, (5, 5, 1), "TLS is already active")
    }

    /// `503`: binary content goes by BDAT only (RFC 3030 section 3).
    pub fn binary_needs_bdat() -> Self {
        Self::new(503, (5, 5, 1), "BODY=BINARYMIME goes by BDAT, not by DATA")
    }
}

/// STARTTLS and AUTH.
impl Reply {
    /// `220` to STARTTLS.
    pub fn start_tls() -> Self {
        Self::new(220, (2, 0, 0), "start TLS now")
    }

    /// `530`: nothing goes before TLS (RFC 3207 section 4).
    pub fn tls_required() -> Self {
        Self::new(530, (5, 7, 0), "send STARTTLS first")
    }

    /// `530`: MAIL needs AUTH (RFC 4954 section 6).
    pub fn auth_required() -> Self {
        Self::new(530, (5, 7, 0), "authentication required, send AUTH first")
    }

    /// `538`: AUTH in clear is not done here (RFC 4954 section 4).
    pub fn auth_needs_tls() -> Self {
        Self::new(538, (5, 7, 11), "encryption required for authentication, send STARTTLS first")
    }

    /// `504`: no such SASL mechanism.
    pub fn unknown_mechanism() -> Self {
        Self::new(504, (5, 5, 4), "unknown authentication mechanism")
    }

    /// `334` with a challenge in base64 (RFC 4954 section 4).
    pub fn challenge(base64: &str) -> Self {
        Self::bare(334, base64.to_owned())
    }

    /// `334` to AUTH NTLM without its first message (MS-SMTPNTLM section 2.2.1.2).
    pub fn ntlm_supported() -> Self {
        Self::bare(334, "ntlm supported")
    }

    /// `501`: the client gave the exchange up with `*`.
    pub fn auth_cancelled() -> Self {
        Self::new(501, (5, 7, 0), "authentication cancelled")
    }

    /// `501`: an initial response, where the mechanism begins with a challenge (RFC 4954 section 4).
    pub fn server_speaks_first() -> Self {
        Self::new(
            501,
            (5, 7, 0),
            "this mechanism begins with a challenge: send AUTH without a response",
        )
    }

    /// `501`: what came is not base64, or not what the mechanism says.
    pub fn bad_auth_response() -> Self {
        Self::new(501, (5, 5, 2), "not a response of this mechanism in base64")
    }

    /// `235`.
    pub fn authenticated() -> Self {
        Self::new(235, (2, 7, 0), "authenticated")
    }

    /// `535`: the same for an unknown user, a wrong password and a foreign authorization identity.
    pub fn authentication_failed() -> Self {
        Self::new(535, (5, 7, 8), "user or password is wrong")
    }

    /// `534`: that way of NTLM can be broken by whoever hears it (RFC 4954 section 6).
    pub fn authentication_outdated() -> Self {
        Self::new(534, (5, 7, 9), "NTLM version 1 is too weak, set the client to NTLM version 2")
    }

    /// `454`: whoever could tell is not to be had now (RFC 4954 section 6).
    pub fn authentication_unavailable() -> Self {
        Self::new(454, (4, 7, 0), "authentication is not possible now, try again later")
    }
}

/// MAIL, RCPT, VRFY, HELP.
impl Reply {
    /// `250` to MAIL.
    pub fn reverse_path_ok() -> Self {
        Self::new(250, (2, 1, 0), "reverse-path accepted")
    }

    /// `250` to RCPT.
    pub fn recipient_ok() -> Self {
        Self::new(250, (2, 1, 5), "recipient accepted")
    }

    /// `552` to MAIL: SIZE= is over the limit (RFC 1870 section 6.1).
    pub fn size_over_limit() -> Self {
        Self::new(552, (5, 3, 4), "the message is larger than this server takes")
    }

    /// `452`: RFC 5321 section 4.5.3.1.10.
    pub fn too_many_recipients() -> Self {
        Self::new(452, (4, 5, 3), "too many recipients: send the rest in another transaction")
    }

    /// `550`: neither the domain nor the client is ours.
    pub fn relaying_denied() -> Self {
        Self::new(550, (5, 7, 1), "no relaying to that domain: authenticate, or use its own server")
    }

    /// `550`: the domain is ours, the mailbox does not exist.
    pub fn no_such_mailbox() -> Self {
        Self::new(550, (5, 1, 1), "no mailbox here by that name")
    }

    /// `252` to VRFY: discloses nothing (RFC 5321 section 7.3).
    pub fn not_verified() -> Self {
        Self::new(252, (2, 0, 0), "not verified here: try RCPT")
    }

    /// `252` to VRFY or EXPN without SMTPUTF8, where the answer is not ASCII (RFC 6531 section 3.7.4.2).
    pub fn answer_needs_smtputf8() -> Self {
        Self::new(252, (2, 6, 8), "the answer is not ASCII: say SMTPUTF8 behind the name")
    }

    /// `214` to HELP: the verbs, then `topics`, a line each.
    pub fn help<'a>(topics: impl Iterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        for topic in topics {
            let separator = if text.is_empty() { "" } else { "\n" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}{topic}");
        }
        Self::new(214, (2, 0, 0), text)
    }

    /// `504` to HELP with a topic that there is nothing about.
    pub fn no_such_topic() -> Self {
        Self::new(504, (5, 5, 4), "no help on that: say HELP alone")
    }
}

/// Content.
impl Reply {
    /// `354` to DATA.
    pub fn send_content() -> Self {
        Self::bare(354, "send the content, end with <CRLF>.<CRLF>")
    }

    /// `250` to a BDAT that is not the last.
    pub fn chunk_ok() -> Self {
        Self::new(250, (2, 0, 0), "chunk received")
    }

    /// `503` to each BDAT behind one that was refused (RFC 3030 section 2).
    pub fn chunk_missing() -> Self {
        Self::new(503, (5, 5, 1), "a chunk before this one was refused: send RSET")
    }

    /// `552`: content over the limit (RFC 5321 section 4.5.3.1.9).
    pub fn content_over_limit() -> Self {
        Self::new(552, (5, 3, 4), "the content is larger than this server takes")
    }

    /// `550`: a bare CR or LF in content; `which` is its name, `line` counts from 1.
    pub fn bare_line_end(which: &str, line: u64) -> Self {
        let text = format!("bare {which} in line {line} of the content: lines end with CRLF only");
        Self::new(550, (5, 6, 0), text)
    }

    /// `554`: a chunk of more octets than can be counted. What follows it can't be told from
    /// commands, so the session ends.
    pub fn chunk_too_large() -> Self {
        Self::new(554, (5, 5, 4), "chunk size beyond reason, closing")
    }

    /// `554`: so many Received fields are a loop (RFC 5321 section 6.3).
    pub fn loop_detected() -> Self {
        Self::new(554, (5, 4, 6), "too many hops: the message goes in a circle")
    }

    /// `452`: the disk is full, or nearly.
    pub fn no_room() -> Self {
        Self::new(452, (4, 3, 1), "no room to keep the message, try again later")
    }

    /// `553`: the user is known, and may send as somebody else only.
    pub fn reverse_path_not_yours() -> Self {
        Self::new(553, (5, 7, 1), "this user may not send with this reverse-path")
    }

    /// `550`: the From field names an author that the user is not.
    pub fn author_not_yours() -> Self {
        Self::new(550, (5, 7, 1), "this user may not send with this From field")
    }

    /// `451`: something failed here; the log says what.
    pub fn local_error() -> Self {
        Self::new(451, (4, 3, 0), "something failed here, try again later")
    }
}

/// At the door: who may come in (see `policy`).
impl Reply {
    /// `554`: this client, or its whole network, is not let in.
    pub fn client_denied() -> Self {
        Self::new(554, (5, 7, 1), "this server takes no mail from your address")
    }

    /// `421`: too many sessions in a short time.
    pub fn connects_too_often(wait: Duration) -> Self {
        Self::new(421, (4, 7, 0), format!("too many connections, come back in {}", span(wait)))
    }

    /// `452`: too many messages or recipients, or too much content, in a time; `of` says of what.
    pub fn too_often(of: &str, wait: Duration) -> Self {
        Self::new(452, (4, 7, 0), format!("too many {of}, come back in {}", span(wait)))
    }

    /// `454`: too many failed logins; nothing was looked at.
    pub fn login_locked(wait: Duration) -> Self {
        Self::new(454, (4, 7, 0), format!("too many failed logins, come back in {}", span(wait)))
    }

    /// `550`: this reverse-path is not wanted here.
    pub fn reverse_path_denied() -> Self {
        Self::new(550, (5, 7, 1), "mail with this reverse-path is not accepted here")
    }

    /// `550`: nobody may send to this address.
    pub fn recipient_denied() -> Self {
        Self::new(550, (5, 7, 1), "this address takes no mail")
    }

    /// `550`: a local-part with a route in it, the way round the question who may relay.
    pub fn routed_recipient() -> Self {
        Self::new(550, (5, 7, 1), "no relaying by way of a local-part: leave out %, ! and @")
    }

    /// `554`: RFC 2920 section 3.1 has the client wait for the replies to its greeting commands.
    pub fn talked_ahead() -> Self {
        Self::new(554, (5, 5, 1), "commands were sent before the reply to EHLO: wait for it")
    }

    /// `550`, or `450` if it may change: what was said in EHLO; `what` says what is wrong with it.
    pub fn helo_refused(what: &str, for_good: bool) -> Self {
        let text = format!("the name in EHLO {what}");
        if for_good { Self::new(550, (5, 7, 1), text) } else { Self::new(450, (4, 7, 1), text) }
    }

    /// `550`, or `450` (RFC 7372 section 3.3): the client's address has no name that leads back to it.
    pub fn reverse_name_refused(address: &str, for_good: bool) -> Self {
        let text = format!("{address} has no name in the DNS that leads back to it (PTR and A)");
        if for_good { Self::new(550, (5, 7, 25), text) } else { Self::new(450, (4, 7, 25), text) }
    }

    /// `550`, or `450` while that is not certain: nobody could ever answer to the reverse-path.
    pub fn sender_domain_refused(for_good: bool) -> Self {
        match for_good {
            true => {
                Self::new(550, (5, 1, 8), "the reverse-path's domain has neither MX nor address")
            }
            false => Self::new(450, (4, 1, 8), "the reverse-path's domain can't be found now"),
        }
    }

    /// `550` (RFC 7505 section 4.2): the reverse-path's domain says that it takes no mail.
    pub fn null_mx() -> Self {
        Self::new(550, (5, 7, 27), "the reverse-path's domain takes no mail (null MX)")
    }

    /// `550`, or `450`: a DNS list has the client's address or a domain that it gave. `see` is the list's own
    /// word, or its page; empty if there is neither.
    pub fn listed(subject: &str, lists: &str, see: &str, for_good: bool) -> Self {
        let see = match see {
            "" => String::new(),
            page if page.starts_with("http") => format!("; see {page}"),
            // Many lists say `Blocked - see https://...`.
            word => format!("; {word}"),
        };
        let text = match for_good {
            true => format!("Email rejected because {subject} is listed by {lists}{see}"),
            false => format!("Email deferred because {subject} is listed by {lists}{see}"),
        };
        if for_good { Self::new(550, (5, 7, 1), text) } else { Self::new(450, (4, 7, 1), text) }
    }

    /// `451`: a check could not be made now, and the configuration is to be careful.
    pub fn not_checked() -> Self {
        Self::new(451, (4, 4, 3), "a lookup about you has no answer now, try again later")
    }

    /// `451`: RFC 6647.
    pub fn greylisted(wait: Duration) -> Self {
        let text = format!("greylisted: you are new here, come back in {}", span(wait));
        Self::new(451, (4, 7, 1), text)
    }

    /// `451`: whoever has the mailbox could not be asked.
    pub fn recipient_not_checked() -> Self {
        Self::new(451, (4, 4, 1), "the mailbox's own server can't be asked now, try again later")
    }
}

/// `35s`, `5m`, `1h 10m`: rounded up, so that who comes back then is not too early.
fn span(wait: Duration) -> String {
    let seconds = wait.as_millis().div_ceil(1_000);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds.div_ceil(60)),
        _ => match seconds.div_ceil(60) {
            minutes if minutes.is_multiple_of(60) => format!("{}h", minutes / 60),
            minutes => format!("{}h {}m", minutes / 60, minutes % 60),
        },
    }
}
