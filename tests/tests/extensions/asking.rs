//! VRFY, EXPN and HELP, as each policy has them.

use harness::{bed::Bed, client::Client, ports};

use crate::listener;

#[test]
fn who_is_here_is_told_as_configured() {
    let (open, shut) = (ports::free(), ports::free());
    let aliases = "[domains.\"list.test\"]\nmailboxes = [\"carol\"]\n\
                   aliases = { team = [\"carol\", \"dora@far.test\"] }\n";
    let own = [
        listener(open, "vrfy = \"exact\"\nexpn = \"exact\"\ntls = \"none\""),
        listener(shut, "vrfy = \"off\"\nhide = [\"HELP\"]\ntls = \"none\"").replace("own", "shut"),
    ];
    let bed = Bed::start(&[aliases, &own.concat()].concat());
    // The listener, the command, the reply.
    for (port, command, reply) in [
        (bed.mx, "VRFY anna@here.test", "252 2.0.0"),
        (bed.mx, "VRFY nobody@here.test", "252 2.0.0"),
        (bed.mx, "EXPN team@list.test", "502"),
        (open, "VRFY <anna@here.test>", "250 2.1.5 <anna@here.test>"),
        (open, "VRFY nobody@here.test", "550 5.1.1"),
        (open, "VRFY x@next.test", "252"),
        (open, "EXPN team@list.test", "250-2.1.5 <carol@list.test>\r\n250 2.1.5 <dora@far.test>"),
        (open, "EXPN carol@list.test", "550 5.1.1"),
        (shut, "VRFY anna@here.test", "502"),
        (bed.mx, "HELP", "214"),
        (bed.mx, "HELP RCPT", "214 2.0.0 say RCPT TO:"),
    ] {
        Client::hello(port).expect(command, reply);
    }
    let offer = |port| Client::hello(port).expect("EHLO client.test", "250");
    assert!(offer(open).contains("VRFY") && offer(open).contains("EXPN"), "{}", offer(open));
    assert!(!offer(shut).contains("HELP"), "{}", offer(shut));
}
