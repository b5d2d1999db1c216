//! Reply codes (RFC 5321 section 4.2, and the extensions that add some), where it matters by step.

use smtp::Stage;

use super::{
    Key::{At, Code},
    Meaning, row,
};

/// The rows: first those of one step, then those for everywhere.
pub const CODES: [Meaning; 65] = [
    row(
        At(421, Stage::Greeting),
        "busy at the door",
        "The server takes no connection now: too many at once, too many from us, or it is being \
         shut down.",
        "Wait; it is tried again. If it stays, ask who runs it whether it limits this sender.",
    ),
    row(
        At(450, Stage::Rcpt),
        "mailbox not available now",
        "The recipient's mailbox cannot be written to now; often greylisting, which wants a \
         second attempt.",
        "Wait; it is tried again.",
    ),
    row(
        At(451, Stage::Rcpt),
        "check not finished",
        "The server could not finish a check of the recipient or the sender; often greylisting.",
        "Wait; it is tried again.",
    ),
    row(
        At(452, Stage::Rcpt),
        "too many recipients at once, or no room",
        "The server takes no more recipients in this transaction, or has no room.",
        "Nothing to do: the others go in further transactions.",
    ),
    row(
        At(454, Stage::StartTls),
        "TLS not available now",
        "The server offers TLS but cannot do it now.",
        "If it stays, who runs it has to look at its certificate and key.",
    ),
    row(
        At(454, Stage::Auth),
        "login not possible now",
        "The server could not check the login now.",
        "Wait; it is tried again.",
    ),
    row(
        At(503, Stage::Mail),
        "MAIL came out of turn",
        "The server did not expect MAIL there: it has seen no EHLO, an open transaction, or it \
         wants a login first.",
        "Compare with the dialogue; if all was sent in order, something on the way took a \
         command away.",
    ),
    row(
        At(503, Stage::Rcpt),
        "RCPT came out of turn",
        "The server says that it got RCPT without a MAIL before it.",
        "If the dialogue shows MAIL, something on the way took it away; capture the traffic at \
         both ends.",
    ),
    row(
        At(503, Stage::Data),
        "DATA came out of turn",
        "The server says that it has no valid recipient to take content for.",
        "Look at the answers to RCPT.",
    ),
    row(
        At(504, Stage::Ehlo),
        "name not taken",
        "The server does not take the name that we gave at EHLO.",
        "Give the full name of the sending host, one that the DNS knows.",
    ),
    row(
        At(550, Stage::Greeting),
        "not welcome",
        "The server does not talk to this address: a blocklist or a local rule.",
        "Check the sending address against blocklists.",
    ),
    row(
        At(550, Stage::Ehlo),
        "name not welcome",
        "The server refuses the name that we gave at EHLO.",
        "Give the full name of the sending host, one that the DNS knows.",
    ),
    row(
        At(550, Stage::Mail),
        "originator refused",
        "The server does not take mail from this originator or this address: reverse name, \
         blocklist or the originator's domain.",
        "Check reverse name, blocklists, and that the originator's domain has MX or address \
         records.",
    ),
    row(
        At(550, Stage::Rcpt),
        "recipient refused",
        "No such mailbox, or no right to write to it, or the sender is not liked: at RCPT all \
         three are said so.",
        "Read the words of the reply; check the spelling of the address.",
    ),
    row(
        At(550, Stage::EndOfData),
        "content refused",
        "The server has read the message and does not want it: spam, virus or policy checks.",
        "Read the words of the reply; try a plain text without attachment.",
    ),
    row(
        At(552, Stage::Mail),
        "message too big",
        "The announced size is over the server's limit.",
        "Send it smaller, or share the attachment by a link.",
    ),
    row(
        At(552, Stage::Rcpt),
        "mailbox full",
        "The recipient's mailbox has no room left.",
        "Tell the recipient by other means; send again when there is room.",
    ),
    row(
        At(552, Stage::EndOfData),
        "too big, or not liked",
        "The message is over a limit, or (some servers) a part of it is of a forbidden kind.",
        "Send it smaller, or without the attachment.",
    ),
    row(
        At(553, Stage::Mail),
        "originator's address refused",
        "The server does not take this originator: malformed, or not owned by who is logged in.",
        "Check the originator's address and the account that is used.",
    ),
    row(
        At(553, Stage::Rcpt),
        "recipient's address refused",
        "The address is malformed, or the server does not serve its domain.",
        "Check the address; for an own next hop, check that it relays for us.",
    ),
    row(
        At(554, Stage::Greeting),
        "no mail service for us",
        "The server talks SMTP but takes no mail, or none from this address.",
        "Check the sending address against blocklists; check that the domain's MX is right.",
    ),
    row(
        At(554, Stage::Rcpt),
        "recipient refused by rule",
        "The server does not take mail for this recipient from us; often relaying is refused, or \
         a blocklist.",
        "Read the words of the reply.",
    ),
    row(
        At(554, Stage::Data),
        "no valid recipient",
        "No recipient was accepted, so there is nobody to take content for.",
        "Look at the answers to RCPT.",
    ),
    row(
        At(554, Stage::EndOfData),
        "content refused",
        "The server has read the message and does not want it: spam, virus or policy checks.",
        "Read the words of the reply; try a plain text without attachment.",
    ),
    row(Code(211), "system status", "A status of the server, or help.", "Nothing to do."),
    row(Code(214), "help", "Help text.", "Nothing to do."),
    row(Code(220), "ready", "The server is ready.", "Nothing to do."),
    row(Code(221), "closing", "The server closes the connection as asked.", "Nothing to do."),
    row(Code(235), "logged in", "The login was accepted (RFC 4954).", "Nothing to do."),
    row(Code(250), "done", "The command was carried out.", "Nothing to do."),
    row(
        Code(251),
        "will be forwarded",
        "The mailbox is elsewhere; the server forwards there.",
        "Note the new address in the reply.",
    ),
    row(
        Code(252),
        "cannot say, will try",
        "The server does not tell whether the mailbox exists, but takes the message.",
        "Nothing to do.",
    ),
    row(
        Code(253),
        "mail waits and is sent on",
        "Messages wait for the node that ETRN named, and are sent to it now (RFC 1985).",
        "Nothing to do.",
    ),
    row(
        Code(334),
        "go on with the login",
        "The server waits for the next part of the login (RFC 4954).",
        "Nothing to do.",
    ),
    row(
        Code(354),
        "send the content",
        "The server waits for the content, ended by a line with a single dot.",
        "Nothing to do.",
    ),
    row(
        Code(421),
        "closing, not available",
        "The server ends the session: shutdown, overload, a limit, or it lost patience.",
        "Wait; it is tried again. If it stays, ask who runs it.",
    ),
    row(
        Code(432),
        "new login needed",
        "The server has to learn the password anew (RFC 4954).",
        "Log in once with PLAIN under TLS.",
    ),
    row(
        Code(450),
        "mailbox not available now",
        "The mailbox is busy or blocked for now.",
        "Wait; it is tried again.",
    ),
    row(
        Code(451),
        "error in processing",
        "The server had an error of its own, or wants to be asked again later.",
        "Wait; it is tried again.",
    ),
    row(
        Code(452),
        "no room",
        "The server has no storage left for it now.",
        "Wait; it is tried again.",
    ),
    row(
        Code(453),
        "no mail for you",
        "The server has nothing waiting for this client (RFC 2645).",
        "Nothing to do.",
    ),
    row(
        Code(454),
        "not available now",
        "TLS or login cannot be done for a passing reason.",
        "Wait; it is tried again.",
    ),
    row(
        Code(455),
        "parameters not possible now",
        "The server cannot do what a parameter asks for, at the moment.",
        "Wait; it is tried again.",
    ),
    row(
        Code(458),
        "queue not started",
        "The server cannot start its queue for that node now (RFC 1985).",
        "Try later.",
    ),
    row(
        Code(459),
        "node not allowed",
        "The server does not start its queue for that node (RFC 1985).",
        "Ask who runs it.",
    ),
    row(
        Code(500),
        "command not understood",
        "The server does not know the command, or the line was too long.",
        "Look at the line; a box on the way may have altered it.",
    ),
    row(
        Code(501),
        "parameters not understood",
        "The command is known, its parameters are not right.",
        "Look at the line: brackets, blanks, spelling.",
    ),
    row(
        Code(502),
        "command not offered",
        "The server knows the command but does not offer it.",
        "Do without it.",
    ),
    row(
        Code(503),
        "out of turn",
        "The command came when it was not its turn: HELO, MAIL, RCPT, DATA is the order.",
        "Look which command is missing; if it was sent, something on the way took it away.",
    ),
    row(
        Code(504),
        "parameter not offered",
        "The server does not offer what the parameter asks for.",
        "Do without it.",
    ),
    row(
        Code(521),
        "takes no mail",
        "This host never takes mail (RFC 7504).",
        "The domain's MX, or the configured next hop, is wrong.",
    ),
    row(
        Code(523),
        "too long for the mailing list",
        "The message is longer than the list or recipient takes.",
        "Send it smaller.",
    ),
    row(
        Code(524),
        "list not usable",
        "The mailing list cannot be resolved.",
        "Tell who runs the list.",
    ),
    row(Code(525), "account disabled", "The account is locked.", "Ask who runs the server."),
    row(
        Code(530),
        "login or TLS needed first",
        "The server wants a login, or TLS, before it goes on.",
        "Configure login or TLS for this next hop, and check host and port.",
    ),
    row(
        Code(534),
        "login mechanism too weak",
        "The way of logging in is not safe enough for the server (RFC 4954).",
        "Use a stronger mechanism, or TLS; some providers want an application password.",
    ),
    row(
        Code(535),
        "login refused",
        "User name or password are wrong.",
        "Check user name and password in the sending server's configuration.",
    ),
    row(
        Code(538),
        "TLS needed to log in",
        "The server allows this login only under TLS (RFC 4954).",
        "Switch on STARTTLS for this next hop.",
    ),
    row(
        Code(550),
        "refused",
        "The server does not do it: no such mailbox, no right, or a rule.",
        "Read the words of the reply.",
    ),
    row(
        Code(551),
        "not local here",
        "The mailbox is not here, and the server does not forward; it may name the new address.",
        "Use the address that the reply names.",
    ),
    row(
        Code(552),
        "over a limit",
        "A limit of the mailbox or the server is exceeded.",
        "Send it smaller, or later.",
    ),
    row(
        Code(553),
        "address refused",
        "The server does not take this address.",
        "Check how it is written.",
    ),
    row(
        Code(554),
        "refused",
        "The transaction failed for good; the server gives no closer code.",
        "Read the words of the reply.",
    ),
    row(
        Code(555),
        "parameter not known",
        "The server does not know a parameter of MAIL or RCPT.",
        "Do without it; it should not have been sent if EHLO did not offer it.",
    ),
    row(
        Code(556),
        "domain takes no mail",
        "The recipient's domain takes no mail at all (RFC 7504).",
        "The address cannot be right: ask the recipient for another one.",
    ),
];
