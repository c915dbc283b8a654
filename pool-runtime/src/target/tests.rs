use super::*;

fn parse(text: &str) -> Target {
    text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

#[test]
fn tcp_targets_give_scheme_authority_host_and_port() {
    let rows = [
        // written as, scheme, authority, host, port, printed as
        (
            "http://a.example:50051",
            "http",
            "a.example:50051",
            "a.example",
            50051,
            "http://a.example:50051",
        ),
        (
            "https://a.example:50051",
            "https",
            "a.example:50051",
            "a.example",
            50051,
            "https://a.example:50051",
        ),
        (
            "http://a.example",
            "http",
            "a.example",
            "a.example",
            80,
            "http://a.example:80",
        ),
        (
            "https://a.example",
            "https",
            "a.example",
            "a.example",
            443,
            "https://a.example:443",
        ),
        (
            "https://a.example:443",
            "https",
            "a.example:443",
            "a.example",
            443,
            "https://a.example:443",
        ),
        (
            "http://a.example/",
            "http",
            "a.example",
            "a.example",
            80,
            "http://a.example:80",
        ),
        (
            "HTTP://A.example:1",
            "http",
            "A.example:1",
            "A.example",
            1,
            "http://A.example:1",
        ),
        (
            "http://my_service:65535",
            "http",
            "my_service:65535",
            "my_service",
            65535,
            "http://my_service:65535",
        ),
        (
            "http://127.0.0.1:50051",
            "http",
            "127.0.0.1:50051",
            "127.0.0.1",
            50051,
            "http://127.0.0.1:50051",
        ),
        (
            "http://[::1]:50051",
            "http",
            "[::1]:50051",
            "::1",
            50051,
            "http://[::1]:50051",
        ),
        (
            "https://[2001:db8::1]",
            "https",
            "[2001:db8::1]",
            "2001:db8::1",
            443,
            "https://[2001:db8::1]:443",
        ),
    ];
    for (text, scheme, authority, host, port, printed) in rows {
        let target = parse(text);
        assert_eq!(target.scheme(), scheme, "{text}");
        assert_eq!(target.is_https(), scheme == "https", "{text}");
        assert_eq!(target.authority(), authority, "{text}");
        assert_eq!(target.host(), Some(host), "{text}");
        assert_eq!(target.port(), Some(port), "{text}");
        assert_eq!(target.unix_path(), None, "{text}");
        assert_eq!(target.to_string(), printed, "{text}");
        assert_eq!(parse(printed).place(), target.place(), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn unix_targets_give_a_path() {
    let rows = [
        ("unix:/run/greeter.sock", "/run/greeter.sock", "unix:/run/greeter.sock"),
        (
            "unix:///run/greeter.sock",
            "/run/greeter.sock",
            "unix:/run/greeter.sock",
        ),
        ("unix:greeter.sock", "greeter.sock", "unix:greeter.sock"),
        (
            "unix:/with space@and:colon",
            "/with space@and:colon",
            "unix:/with space@and:colon",
        ),
        #[cfg(target_os = "linux")]
        ("unix:@greeter", "\0greeter", "unix:@greeter"),
        ("unix:////greeter", "//greeter", "unix:////greeter"),
    ];
    for (text, path, printed) in rows {
        let target = parse(text);
        assert_eq!(target.unix_path(), Some(Path::new(path)), "{text}");
        assert_eq!(target.authority(), "localhost", "{text}");
        assert_eq!(target.scheme(), "http", "{text}");
        assert_eq!((target.host(), target.port()), (None, None), "{text}");
        assert_eq!(target.to_string(), printed, "{text}");
    }
}

#[test]
fn what_is_no_target_is_refused_with_the_reason() {
    let rows = [
        ("", "it is empty"),
        ("localhost:50051", "did you mean http://localhost:50051?"),
        ("localhost", "did you mean http://localhost?"),
        ("/run/greeter.sock", "it has no scheme"),
        ("dns:///localhost:50051", "none of http, https and unix"),
        ("ftp://localhost:50051", "none of http, https and unix"),
        ("http://", "its host is empty"),
        ("http://:50051", "its host is empty"),
        ("http://localhost:", "its port is missing"),
        ("http://localhost:0", "its port `0` is not a number from 1 to 65535"),
        ("http://localhost:65536", "its port `65536` is not"),
        ("http://localhost:+80", "its port `+80` is not"),
        ("http://localhost:http", "its port `http` is not"),
        ("http://::1:50051", "an IPv6 address needs brackets"),
        ("http://[::1", "is not closed"),
        ("http://[::1]50051", "something other than a port"),
        ("http://[localhost]:50051", "`localhost` is not an IPv6 address"),
        ("http://localhost:50051/v1", "a path, a query or a fragment"),
        ("http://localhost:50051?a=b", "a path, a query or a fragment"),
        ("http://localhost:50051#a", "a path, a query or a fragment"),
        ("http://user:secret@localhost:50051", "credentials"),
        ("http://user@localhost", "credentials"),
        ("http://local host:50051", "white space"),
        ("http://localhost:50051\n", "white space"),
        ("http://local%20host:50051", "contains '%'"),
        ("http://a,b:50051", "contains ','"),
        ("http://b\u{fc}cher.example", "punycode"),
        ("unix:", "its path is empty"),
        ("unix://run/greeter.sock", "third slash"),
        ("unix:/a\0b", "contains a NUL"),
        ("unix:@", "the name of its abstract socket is empty"),
    ];
    for (text, reason) in rows {
        let problem = text.parse::<Target>().expect_err(text).to_string();
        assert!(problem.contains(reason), "{text}: {problem}");
        assert!(problem.contains("a target looks like http://host:port"), "{problem}");
    }
    let long = format!("http://{}", "a".repeat(254));
    assert!(long.parse::<Target>().is_err());
}

#[test]
fn an_error_shows_no_secret() {
    let rows = [
        "http://user:secret@localhost:50051",
        "http://user:sec/secret@localhost:50051",
        "user:secret@localhost:50051",
        "http://localhost:50051/?token=secret",
        "http://localhost:50051#secret",
        "ftp://user:secret@localhost",
    ];
    for text in rows {
        let problem = text.parse::<Target>().unwrap_err();
        assert!(!format!("{problem} {problem:?}").contains("sec"), "{problem:?}");
        assert!(problem.to_string().contains("localhost"), "{problem}");
    }
}
