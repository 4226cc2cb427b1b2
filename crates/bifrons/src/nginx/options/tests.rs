use super::*;

fn parse(args: &[&str]) -> Result<Options, String> {
    let parsed = Options::parse(&args.iter().map(OsString::from).collect::<Vec<_>>());
    parsed.map(|options| Options { args: Vec::new(), ..options })
}

#[test]
fn letters_may_be_combined() {
    let quiet = Options { test: true, quiet: true, ..Options::default() };
    assert_eq!(parse(&["-tq"]), Ok(quiet.clone()));
    assert_eq!(parse(&["-t", "-q"]), Ok(quiet.clone()));
    let with_file = Options { conf: Some("/x".into()), ..quiet };
    assert_eq!(parse(&["-tqc/x"]), Ok(with_file.clone()));
    assert_eq!(parse(&["-tqc", "/x"]), Ok(with_file));
    let dumped = parse(&["-T"]).unwrap();
    assert!(dumped.test && dumped.dump);
    assert!(parse(&["-vt"]).unwrap().shows());
    assert_eq!(parse(&["-sreload"]).unwrap().signal, Some(Signal::Reload));
    assert_eq!(parse(&["-g", "daemon on; pid /x;"]).unwrap().globals.as_deref(), Some("daemon on; pid /x;"));
    assert_eq!(parse(&["-"]), Ok(Options::default()));
}

#[test]
fn mistakes_are_told_in_nginxs_words() {
    for (args, message) in [
        (&["foo"][..], "invalid option: \"foo\""),
        (&["-x"], "invalid option: \"x\""),
        (&["-tö"], "invalid option: \"ö\""),
        (&["-c"], "option \"-c\" requires file name"),
        (&["-te"], "option \"-e\" requires file name"),
        (&["-p"], "option \"-p\" requires directory name"),
        (&["-g"], "option \"-g\" requires parameter"),
        (&["-s"], "option \"-s\" requires parameter"),
        (&["-s", "foo"], "invalid option: \"-s foo\""),
    ] {
        assert_eq!(parse(args), Err(message.to_owned()), "{args:?}");
    }
}

#[test]
fn relative_paths_begin_at_the_prefix() {
    let file = |args: &[&str]| parse(args).unwrap().file().display().to_string();
    assert_eq!(file(&[]), "/etc/nginx/nginx.conf");
    assert_eq!(file(&["-c", "a.conf"]), "/usr/share/nginx/a.conf");
    assert_eq!(file(&["-p", "/srv/x", "-c", "a.conf"]), "/srv/x/a.conf");
    assert_eq!(file(&["-p", "x/", "-c", "a.conf"]), "x/a.conf");
    assert_eq!(file(&["-p", "/srv/x", "-c", "/a.conf"]), "/a.conf");
    assert_eq!(file(&["-p", "/srv/x"]), "/etc/nginx/nginx.conf");
}
