fn main() {
    for path in std::env::args().skip(1) {
        let mut a = capture::Analysis::new(capture::Limits::default());
        a.feed(&std::fs::read(&path).unwrap());
        a.finish();
        for s in a.sessions() {
            for f in diagnose::inspect(&s) {
                println!("{}\t{:?}\t{}\t{:?} {:?}\t{}\t+{}", path.rsplit("/pcap").next().unwrap(), f.weight, f.rule, f.who, f.confidence, f.what.chars().take(150).collect::<String>(), f.consequences.len());
            }
        }
    }
}
