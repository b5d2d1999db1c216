//! Enhanced statuses: every one that is registered (RFC 3463, RFC 5248 and what added to it).

use super::{Key::Status, Meaning, row};

/// The rows, by subject and detail.
pub const STATUSES: [Meaning; 81] = [
    row(Status(0, 0), "no details", "The server gave no details.", "Read the text of the reply."),
    // 1: addressing
    row(
        Status(1, 0),
        "address problem",
        "Something is wrong with an address; the status does not say what.",
        "Check the address that the step named: the originator's at MAIL, the recipient's at RCPT.",
    ),
    row(
        Status(1, 1),
        "no such mailbox",
        "The domain is right, but it has no mailbox of that name.",
        "Check the spelling in front of the @. If it is right, ask the recipient by other means \
         for the current address.",
    ),
    row(
        Status(1, 2),
        "no such domain",
        "The part behind the @ names no system that takes mail.",
        "Check the spelling behind the @. If it is right, its name service is at fault: who runs \
         the domain has to mend it.",
    ),
    row(
        Status(1, 3),
        "malformed recipient address",
        "The recipient's address is not written as an address can be.",
        "Look for blanks, missing or doubled characters in it.",
    ),
    row(
        Status(1, 4),
        "ambiguous address",
        "The address fits more than one mailbox there.",
        "Use the recipient's full address.",
    ),
    row(Status(1, 5), "address is fine", "The address was accepted.", "Nothing to do."),
    row(
        Status(1, 6),
        "mailbox has moved",
        "The mailbox was there and is no more; no new address is known.",
        "Ask the recipient by other means for the new address.",
    ),
    row(
        Status(1, 7),
        "malformed originator address",
        "The originator's address is not written as an address can be.",
        "Correct the sending program's address setting.",
    ),
    row(
        Status(1, 8),
        "originator's domain does not work",
        "The receiving server found no system that takes mail for the originator's domain, so it \
         could send no answer there.",
        "Check MX and address records of the originator's domain, as seen from outside.",
    ),
    row(
        Status(1, 9),
        "passed on to a simpler system",
        "The message went on to a system that does not report what becomes of it.",
        "Nothing to do; no further report will come.",
    ),
    row(
        Status(1, 10),
        "domain takes no mail",
        "The domain declares by a null MX that it takes no mail at all (RFC 7505).",
        "The address cannot be right: ask the recipient for another one.",
    ),
    // 2: mailbox
    row(
        Status(2, 0),
        "mailbox problem",
        "Something is wrong with the mailbox; the status does not say what.",
        "Ask the recipient by other means.",
    ),
    row(
        Status(2, 1),
        "mailbox disabled",
        "The mailbox is there, but takes no mail: locked, closed or suspended.",
        "Ask the recipient by other means; they or their provider have to open it.",
    ),
    row(
        Status(2, 2),
        "mailbox full",
        "The mailbox has no room left.",
        "Tell the recipient by other means; send again when there is room.",
    ),
    row(
        Status(2, 3),
        "message too long for the mailbox",
        "The message is longer than that mailbox may get.",
        "Send it smaller, or share the attachment by a link.",
    ),
    row(
        Status(2, 4),
        "mailing list problem",
        "The address is a list that could not be resolved into its members.",
        "Tell who runs the list.",
    ),
    // 3: mail system
    row(
        Status(3, 0),
        "mail system problem",
        "The receiving system has a problem of its own.",
        "Try later; if it stays, tell who runs that system.",
    ),
    row(
        Status(3, 1),
        "mail system full",
        "The receiving system has no room for mail, for nobody.",
        "Try later; if it stays, tell who runs that system.",
    ),
    row(
        Status(3, 2),
        "mail system closed",
        "The system takes no mail from the network now: maintenance, shutdown or overload.",
        "Try later; if it stays, tell who runs that system.",
    ),
    row(
        Status(3, 3),
        "feature not offered",
        "The system cannot do something that this message needs.",
        "The words of the reply name the feature; send the message in a plainer form.",
    ),
    row(
        Status(3, 4),
        "message too big",
        "The message is longer than that system takes from anybody.",
        "Send it smaller, or share the attachment by a link.",
    ),
    row(
        Status(3, 5),
        "mail system set up wrongly",
        "The system found an error in its own configuration, often mail that runs in a circle.",
        "Tell who runs that system.",
    ),
    row(
        Status(3, 6),
        "priority changed",
        "The message was taken with another priority than asked for (RFC 6710).",
        "Nothing to do.",
    ),
    // 4: network and routing
    row(
        Status(4, 0),
        "network problem",
        "Something went wrong on the way; the status does not say what.",
        "Try later.",
    ),
    row(
        Status(4, 1),
        "no answer from host",
        "The server could not be reached.",
        "Check from the sending host that its port 25 answers; a firewall or an outage are the \
         usual causes.",
    ),
    row(
        Status(4, 2),
        "bad connection",
        "The connection was there and broke, or the answer never came.",
        "Try later. If it always breaks at the same step, something on the way or on that server \
         chokes there.",
    ),
    row(
        Status(4, 3),
        "directory failure",
        "A directory that the server needs (name service, user data) did not answer.",
        "Try later; if it stays, tell who runs it.",
    ),
    row(
        Status(4, 4),
        "no route",
        "It was not possible to find out where the mail has to go.",
        "Check the domain's MX and address records.",
    ),
    row(
        Status(4, 5),
        "overload",
        "The server or the way to it is too busy.",
        "Wait; it is tried again.",
    ),
    row(
        Status(4, 6),
        "mail loop",
        "The message came round again, or passed too many servers.",
        "Look at its Received fields: two servers (or a forwarding rule) send it to each other.",
    ),
    row(
        Status(4, 7),
        "time is over",
        "The message could not be delivered in the time that it was given.",
        "The last attempt's trouble is the cause; mend that, then send again.",
    ),
    // 5: protocol
    row(
        Status(5, 0),
        "protocol problem",
        "The two servers did not understand each other.",
        "Look at the dialogue for the command that was refused.",
    ),
    row(
        Status(5, 1),
        "command out of place or unknown",
        "The server does not know the command, or it came when it was not its turn.",
        "Look in the dialogue whether all commands arrived that had to come first.",
    ),
    row(
        Status(5, 2),
        "syntax error",
        "The server could not read the command.",
        "Look at the line in the dialogue; a box on the way may have altered it.",
    ),
    row(
        Status(5, 3),
        "too many recipients",
        "More recipients in one go than the server takes.",
        "Send to fewer at once.",
    ),
    row(
        Status(5, 4),
        "bad parameters",
        "The command was understood, something in its parameters was not.",
        "Look at the line in the dialogue.",
    ),
    row(
        Status(5, 5),
        "wrong version of the protocol",
        "The two servers speak different versions of the protocol.",
        "Tell who runs the server that refused.",
    ),
    row(
        Status(5, 6),
        "login line too long",
        "A line of the login exchange was longer than the server takes (RFC 4954).",
        "Use another way of logging in.",
    ),
    // 6: content
    row(
        Status(6, 0),
        "content problem",
        "Something in the message itself was not liked; the status does not say what.",
        "Read the words of the reply; try without attachments.",
    ),
    row(
        Status(6, 1),
        "kind of content not supported",
        "The receiving side cannot handle this kind of content.",
        "Send it in a common form, as plain text for example.",
    ),
    row(
        Status(6, 2),
        "conversion forbidden",
        "The content would have to be converted for the next server, and must not be.",
        "Send it as 7-bit text, or attach it encoded.",
    ),
    row(
        Status(6, 3),
        "conversion not possible here",
        "The content would have to be converted for the next server, which this server cannot do.",
        "Send it as 7-bit text, or attach it encoded.",
    ),
    row(
        Status(6, 4),
        "converted with loss",
        "The content was converted, and something was lost by that.",
        "Tell the recipient what was in it.",
    ),
    row(
        Status(6, 5),
        "conversion failed",
        "The content would have to be converted for the next server, and that failed.",
        "Send it as 7-bit text, or attach it encoded.",
    ),
    row(
        Status(6, 6),
        "content not available",
        "The content that the message refers to could not be fetched.",
        "Check that what the message refers to still exists.",
    ),
    row(
        Status(6, 7),
        "internationalized address not taken",
        "The server takes no address with letters outside ASCII (RFC 6531).",
        "Use an ASCII address of the recipient or the originator.",
    ),
    row(
        Status(6, 8),
        "reply would need UTF-8",
        "The server could answer only in UTF-8, which was not agreed on (RFC 6531).",
        "The sending program has to ask for SMTPUTF8.",
    ),
    row(
        Status(6, 9),
        "internationalized header not taken",
        "The header section has letters outside ASCII, which cannot be carried to that recipient \
         (RFC 6531).",
        "Send it with ASCII addresses and encoded header fields.",
    ),
    row(
        Status(6, 10),
        "reply would need UTF-8",
        "An outdated twin of x.6.8: the server could answer only in UTF-8 (RFC 5336).",
        "The sending program has to ask for SMTPUTF8.",
    ),
    // 7: security and policy
    row(
        Status(7, 0),
        "refused for security",
        "A security or policy rule of the receiving side says no; the status does not say which.",
        "Read the words of the reply.",
    ),
    row(
        Status(7, 1),
        "not allowed",
        "The receiving side does not take this message from this sender: a rule, a blocklist, a \
         spam check, or it does not relay.",
        "The words of the reply tell which rule; who runs the receiving side can make an \
         exception.",
    ),
    row(
        Status(7, 2),
        "not allowed to write to the list",
        "The originator may not send to that mailing list.",
        "Ask who runs the list.",
    ),
    row(
        Status(7, 3),
        "security conversion not possible",
        "The message would have to go from one kind of protection to another, which is not \
         possible.",
        "Agree with the recipient on a kind of encryption.",
    ),
    row(
        Status(7, 4),
        "security feature not supported",
        "The message needs a protection that the next server does not have.",
        "Who runs that server has to offer it.",
    ),
    row(
        Status(7, 5),
        "cryptographic failure",
        "Something encrypted or signed could not be processed.",
        "Check keys and certificates of both sides.",
    ),
    row(
        Status(7, 6),
        "algorithm not supported",
        "The message uses a cryptographic algorithm that the server does not know.",
        "Use a common one.",
    ),
    row(
        Status(7, 7),
        "message was altered",
        "The message does not match its signature or checksum.",
        "Look for what alters it on the way: footers, scanners, rewriting.",
    ),
    row(
        Status(7, 8),
        "wrong user name or password",
        "The login was refused.",
        "Check user name and password in the sending server's configuration.",
    ),
    row(
        Status(7, 9),
        "login mechanism too weak",
        "The way of logging in is not safe enough for the server.",
        "Use a stronger mechanism, or log in under TLS.",
    ),
    row(
        Status(7, 10),
        "encryption needed",
        "The server wants TLS before anything else.",
        "Switch on STARTTLS for this next hop.",
    ),
    row(
        Status(7, 11),
        "encryption needed to log in",
        "The server allows this way of logging in only under TLS.",
        "Switch on STARTTLS for this next hop.",
    ),
    row(
        Status(7, 12),
        "new login needed",
        "The server has to learn the password anew: a first login by a plain mechanism is needed \
         (RFC 4954).",
        "Log in once with PLAIN under TLS.",
    ),
    row(
        Status(7, 13),
        "account disabled",
        "User name and password may be right, but the account is locked.",
        "Ask who runs the server to open it.",
    ),
    row(
        Status(7, 14),
        "trust needed",
        "The server takes this only from servers that it has an agreement with.",
        "Ask who runs it.",
    ),
    row(
        Status(7, 15),
        "priority too low",
        "The server takes only mail of higher priority now (RFC 6710).",
        "Wait, or send it with a higher priority.",
    ),
    row(
        Status(7, 16),
        "too big for its priority",
        "The server takes such big messages only with another priority (RFC 6710).",
        "Send it smaller.",
    ),
    row(
        Status(7, 17),
        "mailbox has a new owner",
        "The mailbox belongs to somebody else than when the originator last knew (RFC 7293).",
        "Ask the recipient by other means for the current address.",
    ),
    row(
        Status(7, 18),
        "domain has a new owner",
        "The domain belongs to somebody else than when the originator last knew (RFC 7293).",
        "Ask the recipient by other means for the current address.",
    ),
    row(
        Status(7, 19),
        "ownership cannot be checked",
        "The server cannot tell whether the mailbox still has the same owner (RFC 7293).",
        "Send without asking for that check.",
    ),
    row(
        Status(7, 20),
        "no DKIM signature passes",
        "No DKIM signature of the message verifies (RFC 7372).",
        "Check that the sending server signs, that the key is published, and that nothing alters \
         the message after signing.",
    ),
    row(
        Status(7, 21),
        "no acceptable DKIM signature",
        "Signatures verify, but none is of a kind that the server accepts (RFC 7372).",
        "Check the signing domain, the key's length and the algorithm.",
    ),
    row(
        Status(7, 22),
        "no DKIM signature by the author's domain",
        "No signature that verifies is of the domain in the From field (RFC 7372).",
        "Sign with the domain of the From field.",
    ),
    row(
        Status(7, 23),
        "SPF failed",
        "The sending address is not among those that the originator's domain allows (RFC 7208).",
        "Add the sending server to the domain's SPF record, or send by the domain's own server.",
    ),
    row(
        Status(7, 24),
        "SPF could not be checked",
        "The SPF record of the originator's domain could not be evaluated.",
        "Check the record for syntax errors and for more than ten look-ups.",
    ),
    row(
        Status(7, 25),
        "reverse name missing or wrong",
        "The sending address has no name in the DNS, or one that does not lead back to it.",
        "Set the PTR record of the sending address, and an address record that matches.",
    ),
    row(
        Status(7, 26),
        "several authentication checks failed",
        "SPF, DKIM or DMARC checks failed together.",
        "Check SPF and DKIM of the originator's domain; mending one may be enough.",
    ),
    row(
        Status(7, 27),
        "originator's domain takes no mail",
        "The originator's domain declares by a null MX that it takes no mail, so it can get no \
         answers (RFC 7505).",
        "Send from an address that can be answered.",
    ),
    row(
        Status(7, 28),
        "too much mail",
        "The sender, or one account there, sends more than the server puts up with.",
        "Slow down; look whether an account is abused.",
    ),
    row(
        Status(7, 29),
        "ARC failed",
        "The chain of ARC seals on the message does not verify (RFC 8617).",
        "Look for what alters it between two forwarders.",
    ),
    row(
        Status(7, 30),
        "REQUIRETLS not possible",
        "The message must not travel without TLS, and the next server cannot promise that (RFC \
         8689).",
        "Send it without that demand, or ask who runs the server to offer it.",
    ),
];
