//! Settings from all their sources: who wins, what is refused and in which words, and what is never printed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use salon_server::config::{Config, Flag, LoginUrl, Mode, Origin, SETTINGS, Secret, Sources, effective, env_name, example};

/// A file that is gone when the test is.
struct File(PathBuf);

impl File {
    fn with(text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("settings-{}-{}.toml", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn source(&self) -> Sources {
        Sources { file: Some(self.0.clone()), ..Sources::default() }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn env(variables: &[(&str, &str)]) -> Sources {
    Sources { env: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(), ..Sources::default() }
}

fn set(settings: &[&str]) -> Sources {
    Sources { set: settings.iter().map(|text| (*text).to_owned()).collect(), ..Sources::default() }
}

fn mistakes(sources: &Sources) -> String {
    Config::load(sources).expect_err("there are mistakes").to_string()
}

/// The mistakes in a file, with the file's path cut to `salon.toml`.
fn mistakes_in_file(text: &str) -> String {
    let file = File::with(text);
    mistakes(&file.source()).replace(file.0.to_str().unwrap(), "salon.toml")
}

#[test]
fn without_sources_there_are_the_defaults() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 8787)));
    assert_eq!(config.limits(), salon_core::limits::Limits::default());
    assert_eq!(config.database_url(), "sqlite:./salon-data/salon.db");
    assert_eq!(config.mode, Mode::Beside);
    assert!(config.media.port_is_default);
    assert!(!config.node.name.is_empty());
}

#[test]
fn later_sources_win() {
    let file = File::with("data = \"file\"\nlisten = \"127.0.0.1:1\"\n[media]\nport = 1\n[limits]\nsockets = 1\n");
    let sources = Sources {
        file: Some(file.0.clone()),
        set: vec!["media.port=3".to_owned(), "listen=127.0.0.1:3".to_owned()],
        flags: vec![Flag { flag: "--listen", key: "listen", value: "127.0.0.1:4".to_owned() }],
        ..env(&[("SALON_LIMITS_SOCKETS", "2"), ("SALON_MEDIA_PORT", "2"), ("SALON_LISTEN", "127.0.0.1:2")])
    };
    let (config, origins) = Config::load_with_origins(&sources).unwrap();
    assert_eq!(config.data, PathBuf::from("file"));
    assert_eq!(config.limits.sockets, 2);
    assert_eq!(config.media.port, 3);
    assert_eq!(config.listen.port(), 4);
    assert_eq!(origins.of("page.enabled"), Origin::Default);
    assert_eq!(origins.of("data"), Origin::File { path: file.0.clone(), line: 1 });
    assert_eq!(origins.of("limits.sockets"), Origin::Env("SALON_LIMITS_SOCKETS".to_owned()));
    assert_eq!(origins.of("media.port"), Origin::Set);
    assert_eq!(origins.of("listen"), Origin::Flag("--listen"));
    assert!(!config.media.port_is_default);
}

#[test]
fn a_chosen_port_is_no_default_even_if_it_is_the_same() {
    assert!(!Config::load(&set(&["media.port=40000"])).unwrap().media.port_is_default);
}

#[test]
fn every_setting_has_a_variable_of_its_own() {
    let names: BTreeMap<String, &str> = SETTINGS.iter().map(|setting| (env_name(setting.key), setting.key)).collect();
    assert_eq!(names.len(), SETTINGS.len());
    assert_eq!(env_name("database.url"), "SALON_DATABASE_URL");
    assert_eq!(env_name("listen"), "SALON_LISTEN");
}

#[test]
fn lists_are_lists_or_text_with_commas() {
    let file = File::with("[http]\nhosts = [\"a.example\", \"b.example\"]\n[media]\nannounce = \"192.0.2.7, 2001:db8::7\"\n");
    let sources = Sources { file: Some(file.0.clone()), ..env(&[("SALON_ICE_URLS", "stun:one,stun:two")]) };
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.http.hosts, ["a.example", "b.example"]);
    assert_eq!(config.media.announce.len(), 2);
    assert_eq!(config.ice.urls, ["stun:one", "stun:two"]);
    assert!(Config::load(&set(&["http.hosts="])).unwrap().http.hosts.is_empty());
}

#[test]
fn unknown_names_are_told_the_nearest() {
    for (text, told) in [
        ("lissen = \"x\"", "lissen (salon.toml:1) is not a setting; the nearest is listen"),
        ("[media]\n\nprot = 1", "media.prot (salon.toml:3) is not a setting; the nearest is media.port"),
        ("[databse]\nurl = \"x\"", "[databse] (salon.toml:1) is not a section; the nearest is [database]"),
        ("[limits]\ngrace_secs = 1", "limits.grace_secs (salon.toml:2) is not a setting; the nearest is session.grace_secs"),
        ("media = 1", "media (salon.toml:1) is a section: write [media], then its settings"),
    ] {
        assert_eq!(mistakes_in_file(text), told);
    }
    assert_eq!(
        mistakes(&env(&[("SALON_DATABASE_ULR", "postgres://u:hunter2@h/d")])),
        "SALON_DATABASE_ULR (environment) is not a setting; the nearest is SALON_DATABASE_URL"
    );
    assert_eq!(mistakes(&set(&["log.levle=info"])), "log.levle (--set) is not a setting; the nearest is log.level");
    assert_eq!(mistakes(&set(&["page.enabled"])), "--set page.enabled has no value: write --set page.enabled=VALUE");
}

#[test]
fn variables_of_others_are_passed_over() {
    let theirs = [
        ("PATH", "/bin"),
        ("SALON_CONFIG", "salon.toml"),
        ("SALON_SERVICE_HOST", "10.0.0.1"),
        ("SALON_SERVICE_PORT_HTTP", "8787"),
        ("SALON_PORT", "tcp://10.0.0.1:8787"),
        ("SALON_PORT_8787_TCP_ADDR", "10.0.0.1"),
    ];
    assert_eq!(Config::load(&env(&theirs)).unwrap(), Config::default());
}

#[test]
fn wrong_values_name_setting_source_and_what_to_give() {
    let number = "a whole number from";
    for (text, told) in [
        ("listen = 8787", "listen is 8787 (salon.toml:1), but must be an address with a port, such as 127.0.0.1:8787 or [::1]:8787".to_owned()),
        ("[media]\nport = 70000", format!("media.port is 70000 (salon.toml:2), but must be {number} 0 to 65535")),
        ("[media]\nport = \"40000\"", format!("media.port is \"40000\" (salon.toml:2), but must be {number} 0 to 65535")),
        ("[database]\nmax_connections = 0", format!("database.max_connections is 0 (salon.toml:2), but must be {number} 1 to 1000")),
        ("[database]\ndurable = \"yes\"", "database.durable is \"yes\" (salon.toml:2), but must be true or false".to_owned()),
        ("[log]\nformat = \"xml\"", "log.format is \"xml\" (salon.toml:2), but must be \"text\" or \"json\"".to_owned()),
        (
            "[log]\nlevel = \"loud=very\"",
            "log.level is \"loud=very\" (salon.toml:2), but must be error, warn, info, debug, trace or off, also by module of Salon, as in \
             info,salon_doors::rest=debug"
                .to_owned(),
        ),
        (
            "[media]\nannounce = [\"0.0.0.0\"]",
            "media.announce is [\"0.0.0.0\"] (salon.toml:2), but must be addresses that clients can send to; 0.0.0.0 is none".to_owned(),
        ),
        (
            "[http]\nhosts = [\"meet.example.org\", \"https://b.org\"]",
            "http.hosts is [\"meet.example.org\", \"https://b.org\"] (salon.toml:2), but must be a list of host names such as \
             meet.example.org, without port or path; \"https://b.org\" is none"
                .to_owned(),
        ),
        (
            "[http]\nhosts = [\"meet.example.org\", 7]",
            "http.hosts is [\"meet.example.org\", 7] (salon.toml:2), but must be a list, or text with commas, in which each item is text; \
             7 is none"
                .to_owned(),
        ),
    ] {
        assert_eq!(mistakes_in_file(text), told);
    }
    assert_eq!(
        mistakes(&env(&[("SALON_LIMITS_SOCKETS", "many")])),
        "limits.sockets is \"many\" (SALON_LIMITS_SOCKETS), but must be a whole number"
    );
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_told_where() {
    let told = mistakes(&Sources { file: Some("no/such/salon.toml".into()), ..Sources::default() });
    assert!(told.starts_with("the settings in no/such/salon.toml cannot be read: "), "{told}");
    let told = mistakes_in_file("[database]\nurl = \"postgres://u:hunter2@h/d");
    assert!(told.starts_with("salon.toml:2 is not TOML: "), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = mistakes(&set(&["a=1", "media.port=x", "page.enabled=perhaps", "log.level=info"]));
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn keep_alive_bounds_hold_their_default() {
    assert_eq!(
        mistakes(&set(&["limits.session_keep_alive_min_secs=90"])),
        "limits.session_keep_alive_min_secs is 90 (--set), but limits.session_keep_alive_default_secs is 60 (default): raise \
         limits.session_keep_alive_default_secs or lower limits.session_keep_alive_min_secs"
    );
    let told = mistakes(&set(&["limits.session_keep_alive_max_secs=30"]));
    assert!(
        told.starts_with("limits.session_keep_alive_default_secs is 60 (default), but limits.session_keep_alive_max_secs is 30")
    );

    let lower = Config::load(&set(&["limits.session_keep_alive_min_secs=1"])).unwrap();
    assert_eq!((lower.limits.session_keep_alive_min_secs, lower.limits.session_keep_alive_default_secs), (1, 60));
    let both = set(&["limits.session_keep_alive_min_secs=90", "limits.session_keep_alive_default_secs=90"]);
    assert_eq!(Config::load(&both).unwrap().limits.session_keep_alive_default_secs, 90);
}

#[test]
fn limits_reach_the_sessions() {
    let chosen = ["session.grace_secs=7", "limits.peers_per_session=3", "limits.peers_per_session_ever=9"];
    let limits = Config::load(&set(&chosen)).unwrap().limits();
    assert_eq!((limits.grace_ms, limits.max_peers, limits.max_peers_ever), (7_000, 3, 9));
    assert!(mistakes(&set(&["limits.peers_per_session_ever=9"])).contains("peers_per_session is 2000 (default)"));
}

#[test]
fn the_media_server_has_room_for_everyone_a_session_may_hold() {
    let told = mistakes(&set(&["limits.peers_per_session=5000", "limits.peers_per_session_ever=50000"]));
    assert!(told.contains("limits.media_transports is 6000 (default)") && told.contains("to 10000 or lower"), "{told}");
    let limits = Config::load(&set(&["limits.peers_per_session=5", "limits.media_kilobits_per_second=700"])).unwrap();
    let limits = limits.media_limits();
    assert_eq!((limits.transports, limits.transports_per_room, limits.bits_per_second), (6_000, 20, 700_000));
    assert!(mistakes(&set(&["limits.media_tracks_sent=0"])).contains("a whole number from 1 to 64"));
}

#[test]
fn requests_have_connections_beside_the_websockets() {
    assert_eq!(Config::load(&set(&["limits.sockets=100"])).unwrap().bounds().connections, 4_100);
    let told = mistakes(&set(&["http.connections=20000"]));
    assert!(told.contains("http.connections is 20000 (--set), but limits.sockets is 20000 (default)"), "{told}");
    let bounds = Config::load(&set(&["http.proxies=192.0.2.0/24,2001:db8::7"])).unwrap().bounds();
    assert_eq!(bounds.proxies.len(), 2, "these alone");
    assert!(mistakes(&set(&["http.proxies=here"])).contains("a network such as 10.0.0.0/8"));
}

#[test]
fn addresses_that_browsers_refuse_are_not_announced_for_tcp() {
    for bad in ["0.0.0.0:3478", "203.0.113.7:22", "10.0.0.4:443", "203.0.113.7:0", "203.0.113.7"] {
        assert!(mistakes(&set(&[&format!("media.tcp_announce={bad}")])).contains("--set), but must be"), "{bad}");
    }
    let config = Config::load(&set(&["media.tcp_announce=203.0.113.7:443,[2001:db8::1]:3478,10.0.0.4:3478"])).unwrap();
    assert_eq!(config.media.tcp_announce.len(), 3);
    let both = mistakes(&set(&["media.tcp=false", "media.tcp_listen=0.0.0.0:3478"]));
    assert!(both.contains("media.tcp is false (--set), but media.tcp_listen is set (--set)"), "{both}");
}

#[test]
fn a_turn_server_needs_its_password() {
    assert!(
        mistakes(&set(&["ice.urls=turn:turn.example.org"]))
            .contains("so ice.secret, or ice.username and ice.credential, must be set")
    );
    let complete = ["ice.urls=turn:turn.example.org", "ice.username=u", "ice.credential=c"];
    assert_eq!(Config::load(&set(&complete)).unwrap().ice.credential, Secret::from("c"));
    assert!(Config::load(&set(&["ice.urls=stun:stun.example.org"])).is_ok());
    assert!(Config::load(&set(&["ice.urls=turn:turn.example.org", "ice.secret=north"])).is_ok());
    let both = mistakes(&set(&["ice.urls=turn:turn.example.org", "ice.secret=north", "ice.username=u", "ice.credential=c"]));
    assert!(both.contains("ice.secret is set (--set), and so is ice.username") && !both.contains("north"), "{both}");
}

#[test]
fn who_serves_says_by_which_name() {
    let serve = |settings: &[&str]| Config::load(&Sources { mode: Mode::Serve, ..set(settings) });
    let told = serve(&[]).expect_err("it has no name").to_string();
    assert!(told.starts_with("http.hosts or http.public_url must be set, as in `--set http.hosts=meet.example.org`"), "{told}");
    assert!(serve(&["http.hosts=meet.example.org"]).is_ok());
    assert!(serve(&["http.public_url=https://api.meet.example.org"]).is_ok());
}

#[test]
fn a_level_is_of_salon_or_of_its_modules() {
    for level in ["verbose", "", "INFO", "info,str0m=trace", "salon_doors=loud"] {
        let told = mistakes(&set(&[&format!("log.level={level}")]));
        assert!(told.contains("but must be error, warn, info, debug, trace or off"), "{level}: {told}");
    }
    for level in ["off", "trace", "info,salon_doors::rest=debug"] {
        assert!(Config::load(&set(&[&format!("log.level={level}")])).is_ok(), "{level}");
    }
}

#[test]
fn secrets_are_never_printed() {
    let given = [
        "database.url=postgres://salon:hunter2@db.example/salon?sslmode=require&sslpassword=hunter2",
        "ice.urls=turn:turn.example.org",
        "ice.username=people",
        "ice.credential=hunter2",
        "files.s3_bucket=chats",
        "files.s3_access_key=salon",
        "files.s3_secret_key=hunter2",
        "metrics.token=hunter2",
    ];
    let (config, origins) = Config::load_with_origins(&set(&given)).unwrap();
    assert!(config.database_url().contains(":hunter2@"));
    let shown = effective(&config, &origins);
    assert!(
        shown.contains("url = \"postgres://salon:***@db.example/salon?sslmode=require&sslpassword=***\"  # --set"),
        "{shown}"
    );
    assert!(shown.contains("credential = \"***\"  # --set"), "{shown}");
    assert!(shown.contains("s3_secret_key = \"***\"  # --set"), "{shown}");
    for text in [shown, format!("{config:?}"), format!("{:?} {:?}", config.database.url, config.ice.credential)] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let told = mistakes(&set(&["database.url=mysql://salon:hunter2@db/salon"]));
    assert!(told.starts_with("database.url (--set) must be empty, postgres://") && !told.contains("hunter2"), "{told}");
}

#[test]
fn files_need_a_place() {
    for (given, why) in [
        (&["files.s3_bucket=b", "files.s3_access_key=k"][..], "files.s3_access_key and files.s3_secret_key must be set together"),
        (&["files.s3_endpoint=https://s3.example.org"], "files.s3_bucket must be set too"),
        (
            &["files.s3_endpoint=s3.example.org", "files.s3_bucket=b"],
            "files.s3_endpoint is \"s3.example.org\" (--set), but must be empty, or an address",
        ),
        (
            &["http.public_url=https://meet.example.org/"],
            "http.public_url is \"https://meet.example.org/\" (--set), but must be empty, or an address",
        ),
        (&["files.types=image"], "files.types is \"image\" (--set), but must be a list of content types"),
        (&["files.types=image/*,*/*"], "files.types is \"image/*,*/*\" (--set), but must be a list of content types"),
        (
            &["files.file_bytes=3000", "files.meeting_bytes=2000"],
            "files.file_bytes is 3000 (--set), but files.meeting_bytes is 2000",
        ),
    ] {
        let told = mistakes(&set(given));
        assert!(told.starts_with(why), "{told}");
    }
    assert!(Config::load(&set(&["files.types=image/*, application/pdf", "http.public_url=http://10.0.0.1:8080"])).is_ok());
}

#[test]
fn passwords_are_masked_wherever_a_url_may_hold_them() {
    for (url, masked) in [
        ("", ""),
        ("sqlite:./salon.db", "sqlite:./salon.db"),
        ("postgres://h/d", "postgres://h/d"),
        ("postgres://u@h/d", "postgres://u@h/d"),
        ("postgres://u:p@h/d", "postgres://u:***@h/d"),
        ("postgres://u:p@ss:w/ord@h/d", "postgres://u:***@h/d"),
        ("postgres://u:p?ss@h/d", "postgres://u:***@h/d"),
        ("postgres://u:p?ss@h/d?sslmode=require", "postgres://u:***@h/d?sslmode=require"),
        ("postgres://h/d?user=u&password=p", "postgres://h/d?user=u&password=***"),
    ] {
        assert_eq!(LoginUrl::from(url).masked(), masked);
    }
}

#[test]
fn dev_serves_this_computer_only() {
    let dev = |listen: &str| Sources {
        mode: Mode::Dev,
        flags: vec![Flag { flag: "--listen", key: "listen", value: listen.to_owned() }],
        ..Sources::default()
    };
    assert_eq!(
        mistakes(&dev("0.0.0.0:9000")),
        "listen is 0.0.0.0:9000 (--listen), but `salon dev` serves this computer only, because everybody knows its token: use \
         127.0.0.1:9000, or `salon serve` for others"
    );
    assert!(Config::load(&dev("[::]:0")).is_err());
    assert!(Config::load(&dev("[::1]:0")).is_ok());
    let config = Config::load(&dev("127.0.0.1:0")).unwrap();
    assert_eq!((config.mode, config.limits.api_requests_per_5_minutes), (Mode::Dev, 0));
    let limited = Sources { set: vec!["limits.api_requests_per_5_minutes=5".to_owned()], ..dev("127.0.0.1:0") };
    assert_eq!(Config::load(&limited).unwrap().limits.api_requests_per_5_minutes, 5);
}

#[test]
fn the_example_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../salon.example.toml");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, example()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == example(),
        "salon.example.toml is out of date; UPDATE=1 cargo test -p salon-server --test config writes it"
    );
}

#[test]
fn the_example_says_the_defaults() {
    let file = File::with(&example());
    assert_eq!(Config::load(&file.source()).unwrap(), Config::default());

    // A setting has no blank behind its `#`, prose has.
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    let file = File::with(&example().lines().map(uncommented).collect::<String>());
    let (mut config, origins) = Config::load_with_origins(&file.source()).unwrap();
    config.media.port_is_default = true;
    assert_eq!(config, Config::default());
    for setting in SETTINGS {
        assert_ne!(origins.of(setting.key), Origin::Default, "{} is missing in the example", setting.key);
        assert!(!setting.doc.is_empty(), "{} is not explained", setting.key);
    }
}
