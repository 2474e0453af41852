//! The binary as people run it: what it teaches, what it refuses, and tokens from making to revoking.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is gone when the test is.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cli-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// `--set data=…` for a data folder in here.
    fn data(&self) -> String {
        format!("--set=data={}", self.0.join("data").display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What whoever serves must say.
const NAMED: &str = "--set=http.hosts=meet.example.org";

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the binary with these arguments and nothing of the environment of who runs the tests.
fn salon(args: &[&str]) -> Ran {
    salon_with(&[], args)
}

fn salon_with(env: &[(&str, &str)], args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_salon")).args(args).env_clear().envs(env.iter().copied()).output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }
}

#[test]
fn every_help_shows_examples() {
    let commands = [
        "",
        "dev",
        "serve",
        "token",
        "token create",
        "token list",
        "token revoke",
        "audit",
        "audit verify",
        "app",
        "app create",
        "app list",
        "import",
        "import realtimekit",
        "shadow",
        "upgrade",
        "migrate",
        "check-config",
    ];
    for command in commands {
        let args: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = salon(&args).ok();
        assert!(help.contains("Examples:\n"), "{help}");
        assert!(help.contains(format!("  salon {command}").trim_end()), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
        if !["", "token", "app", "audit", "import", "shadow"].contains(&command) {
            assert!(help.contains("Settings come from"), "{help}");
        }
    }
}

#[test]
fn the_version_is_told() {
    assert_eq!(salon(&["--version"]).ok(), format!("salon {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn dev_refuses_other_computers() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let ran = salon(&["dev", "--listen", "0.0.0.0:8787", "--data", data.to_str().unwrap()]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.starts_with("salon: listen is 0.0.0.0:8787 (--listen), but `salon dev` serves this computer only"),
        "{}",
        ran.err
    );
    assert_eq!(ran.out, "");
    assert!(!data.exists());
}

#[test]
fn serve_wants_to_know_its_names() {
    let folder = Folder::new();
    for command in ["serve", "check-config"] {
        let ran = salon(&[command, &folder.data()]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{command}");
        assert!(ran.err.starts_with("salon: http.hosts or http.public_url must be set"), "{}", ran.err);
    }
    assert!(!folder.0.join("data").exists());
}

#[test]
fn nobody_else_on_the_computer_reads_what_is_kept() {
    let folder = Folder::new();
    salon(&["token", "create", "--account", "acme", &folder.data()]).ok();
    let data = folder.0.join("data");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in std::fs::read_dir(&data).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    // One that stands open, as those of earlier releases do.
    for (open, warned) in [(0o700, false), (0o755, true)] {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(open)).unwrap();
        let mut node = Command::new(env!("CARGO_BIN_EXE_salon"));
        node.args(["serve", NAMED, "--set=listen=127.0.0.1:0", "--set=media.port=0", "--set=media.ip=127.0.0.1", &folder.data()]);
        let mut node = node.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let ready = BufReader::new(node.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        assert!(ready.starts_with("salon ready "), "{ready}");
        assert_eq!((mode(&data.join("alive")), mode(&data.join("files"))), (0o600, 0o700));
        assert_eq!(mode(&data.join("media-certificate")), 0o600);
        node.kill().unwrap();
        let log = String::from_utf8(node.wait_with_output().unwrap().stderr).unwrap();
        assert_eq!(log.contains("other users of this computer can open what Salon keeps"), warned, "{log}");
    }
}

#[test]
fn a_word_that_is_no_level_is_refused() {
    let ran = salon(&["dev", "--set", "log.level=verbose"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("log.level is \"verbose\" (--set), but must be error, warn, info, debug, trace or off"),
        "{}",
        ran.err
    );
}

#[test]
fn settings_are_checked_and_shown() {
    let folder = Folder::new();
    let good = folder.file("good.toml", "[database]\nurl = \"postgres://salon:hunter2@db/salon\"\n[limits]\nsockets = 7\n");
    let out = salon(&["check-config", "--config", &good, "--set", "log.format=json", NAMED]).ok();
    for line in [
        "listen = \"127.0.0.1:8787\"  # default".to_owned(),
        format!("url = \"postgres://salon:***@db/salon\"  # {good}:2"),
        format!("sockets = 7  # {good}:4"),
        "format = \"json\"  # --set".to_owned(),
    ] {
        assert!(out.lines().any(|known| known == line), "{line} is missing in\n{out}");
    }
    assert!(!out.contains("hunter2"));

    let bad = folder.file("bad.toml", "listne = \"x\"\n[limits]\nsockets = \"many\"\n");
    let ran = salon(&["check-config", "--config", &bad]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert_eq!(
        ran.err.replace(&bad, "bad.toml"),
        "salon: listne (bad.toml:1) is not a setting; the nearest is listen\n\
         salon: limits.sockets is \"many\" (bad.toml:3), but must be a whole number\n"
    );
    assert_eq!(salon(&["check-config", "--config", "no/such/file.toml"]).code, Some(2));
}

#[test]
fn what_is_shown_can_be_read_again() {
    let folder = Folder::new();
    let shown = salon(&["check-config", &folder.data(), "--set", "media.announce=192.0.2.7,2001:db8::7", NAMED]).ok();
    let file = folder.file("shown.toml", &shown);
    let again = salon(&["check-config", "--config", &file]).ok();
    let values = |text: &str| text.lines().map(|line| line.split("  #").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(values(&again), values(&shown));
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let folder = Folder::new();
    let file = folder.file("salon.toml", "[limits]\nsockets = 7\n");
    let out = salon_with(&[("SALON_CONFIG", &file), ("SALON_PAGE_ENABLED", "false")], &["check-config", NAMED]).ok();
    assert!(out.contains("sockets = 7") && out.contains("enabled = false  # SALON_PAGE_ENABLED"), "{out}");
}

#[test]
fn a_token_is_made_listed_and_revoked() {
    let folder = Folder::new();
    let data = folder.data();
    let made = salon(&["token", "create", "--account", "acme", "--label", "ci", "--email", "ops@example.org", &data]).ok();
    let token = made.strip_suffix('\n').unwrap();
    assert!(token.starts_with("salon_") && token.len() == 70 && !token.contains('\n'), "{made}");
    let other = salon(&["token", "create", "--account", "acme", &data]).ok();
    assert_ne!(made, other);

    let list = salon(&["token", "list", "--account", "acme", &data]).ok();
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 2, "{list}");
    let ci = lines.iter().find(|line| line.len() == 4).unwrap();
    assert_eq!(ci[2..], ["ops@example.org", "ci"]);
    assert!(!list.contains(token));
    let listed = salon(&["token", "list", "--account", "nobody", &data]);
    assert!(listed.err.contains("has no tokens"), "{}", listed.err);
    assert_eq!(listed.ok(), "");

    // By the beginning of the hash, for which the account is needed.
    let ran = salon(&["token", "revoke", ci[0], &data]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("--account"), "{}", ran.err);
    assert_eq!(salon(&["token", "revoke", "--account", "acme", ci[0], &data]).ok(), format!("revoked {}\n", ci[0]));
    assert!(salon(&["token", "revoke", token, &data]).err.contains("there is no such token"));
    // By the token itself.
    salon(&["token", "revoke", other.trim(), &data]).ok();
    assert_eq!(salon(&["token", "list", "--account", "acme", &data]).ok(), "");
}

#[test]
fn what_is_done_at_the_command_line_is_in_the_audit_log() {
    let folder = Folder::new();
    let data = folder.data();
    let token = salon(&["token", "create", "--account", "acme", "--label", "Ann's own", &data]).ok();
    salon(&["app", "create", "main", "--account", "acme", &data]).ok();
    salon(&["token", "revoke", token.trim(), &data]).ok();
    salon(&["token", "create", "--account", "other", &data]).ok();
    // Looking is no act.
    salon(&["token", "list", "--account", "acme", &data]).ok();
    let out = salon(&["audit", "verify", &data]).ok();
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        (&lines[0][..4], &lines[1][..4]),
        (&["acme", "3", "entries", "whole"][..], &["other", "1", "entries", "whole"][..])
    );
    assert_eq!(salon(&["audit", "verify", "--account", "acme", &data]).ok().lines().next(), out.lines().next());
    assert!(salon(&["audit", "verify", "--account", "nobody", &data]).ok().starts_with("nobody  0 entries  whole  0000"));
}

#[test]
fn an_account_has_the_form_of_an_id() {
    let ran = salon(&["token", "create", "--account", "a/b"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("letters, digits"), "{}", ran.err);
}

#[test]
fn looking_makes_no_database() {
    let folder = Folder::new();
    let ran = salon(&["token", "list", "--account", "acme", &folder.data()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.starts_with("salon: there is no database at "), "{}", ran.err);
    assert!(!folder.0.join("data").exists());
}

#[test]
fn a_database_in_use_is_told() {
    let folder = Folder::new();
    let data = folder.data();
    salon(&["migrate", &data]).ok();
    let lock = std::fs::File::open(folder.0.join("data/salon.db.lock")).unwrap();
    lock.lock().unwrap();
    // What is live in the process that has it would not notice.
    for command in [&["migrate"][..], &["session", "end", "3f9a1c52-8a44-4b8e-9f5e-0d4c6a2f7b11"]] {
        let ran = salon(&[command, &[&data]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert!(ran.err.contains("is in use by another process: stop that one first"), "{}", ran.err);
    }
}

#[test]
fn an_app_is_made_and_listed() {
    let folder = Folder::new();
    let data = folder.data();
    let made = salon(&["app", "create", " main ", "--account", "acme", &data]).ok();
    let id = made.strip_suffix('\n').unwrap();
    assert!(id.len() == 36 && !id.contains('\n'), "{made}");
    let again = salon(&["app", "create", "main", "--account", "acme", &data]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("account acme has an app called \"main\": `salon app list"), "{}", again.err);
    let second = salon(&["app", "create", "second", "--account", "acme", &data]).ok();
    let list = salon(&["app", "list", "--account", "acme", &data]).ok();
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!([lines[0][0], lines[0][2], lines[1][0], lines[1][2]], [second.trim(), "second", id, "main"]);
    let nobody = salon(&["app", "list", "--account", "nobody", &data]);
    assert!(nobody.err.contains("`salon app create NAME --account nobody` makes one"), "{}", nobody.err);
    for (name, why) in [("", "must not be blank"), ("a\nb", "line breaks"), ("a\u{202E}b", "turn the direction")] {
        let ran = salon(&["app", "create", name, "--account", "acme", &data]);
        assert!(ran.code == Some(2) && ran.err.contains(why), "{}", ran.err);
    }
}

/// A server that runs as people run one, on the default database, until it is dropped.
struct Served {
    node: std::process::Child,
    address: String,
    log: BufReader<std::process::ChildStderr>,
}

impl Served {
    fn with(config: &str) -> Self {
        let mut node = Command::new(env!("CARGO_BIN_EXE_salon"));
        node.args(["serve", "--config", config]).env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut node = node.spawn().unwrap();
        let ready = BufReader::new(node.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let address = ready.strip_prefix("salon ready ").unwrap().to_owned();
        let log = BufReader::new(node.stderr.take().unwrap());
        Self { node, address, log }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

#[test]
fn the_first_call_of_the_readme_works_on_a_server_that_runs() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let config = folder.file(
        "salon.toml",
        &format!(
            "listen = \"127.0.0.1:0\"\ndata = {data:?}\n[http]\nhosts = [\"127.0.0.1\"]\n[media]\nip = \"127.0.0.1\"\nport = 0\n"
        ),
    );
    let mut served = Served::with(&config);
    let mut first = String::new();
    served.log.read_line(&mut first).unwrap();
    for part in ["starting", env!("CARGO_PKG_VERSION"), served.address.strip_prefix("http://").unwrap(), "salon.db"] {
        assert!(first.contains(part), "{part} is missing in {first}");
    }
    let mut second = String::new();
    served.log.read_line(&mut second).unwrap();
    assert!(second.contains("http.public_url is not set"), "{second}");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/first-call.sh");
    let binary = Path::new(env!("CARGO_BIN_EXE_salon")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", binary.display());
    let run_at = |address: &str| {
        let output = Command::new("sh").arg(&script).args([&config, address]).env_clear().env("PATH", &path).output();
        let output = output.unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let run = || run_at(&served.address);
    // By a name that it does not have, nothing is made, and why is said.
    let (worked, out, err) = run_at(&served.address.replace("127.0.0.1", "localhost"));
    assert!(!worked && out.is_empty() && err.contains("http.hosts"), "{out}{err}");
    let (worked, out, err) = run();
    assert!(worked, "{out}{err}");
    let link = out.lines().find_map(|line| line.strip_prefix("Ada joins here: ")).unwrap();
    assert!(link.starts_with(&format!("{}/#token=eyJ", served.address)), "{out}");
    // While it runs, all is listed, made and revoked.
    let of = |args: &[&str]| salon(&[args, &["--account", "acme", "--config", &config]].concat()).ok();
    let app = of(&["app", "list"]);
    assert!(out.starts_with(&format!("app {}, meeting ", app.split_whitespace().next().unwrap())), "{out} {app}");
    let tokens = of(&["token", "list"]);
    assert_eq!(tokens.lines().count(), 1, "{tokens}");
    of(&["token", "revoke", tokens.split_whitespace().next().unwrap()]);
    assert_eq!(of(&["token", "list"]), "");
    let (worked, _, err) = run();
    assert!(!worked && err.contains("has an app called \"main\""), "{err}");
}

#[test]
fn the_readme_quotes_the_first_call_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let script = read("docs/examples/first-call.sh");
    let body = script.split_once("config=$1").map(|(_, body)| format!("config=$1{body}")).unwrap();
    assert!(read("README.md").contains(&body), "copy docs/examples/first-call.sh from `config=` on");
}

#[test]
fn a_server_without_an_address_for_its_links_is_told_what_that_takes() {
    let folder = Folder::new();
    let ran = salon(&["check-config", &folder.data(), NAMED]);
    assert!(ran.err.contains("http.public_url is not set") && ran.err.contains("X-Forwarded-Proto"), "{}", ran.err);
    ran.ok();
    let ran = salon(&["check-config", &folder.data(), "--set=http.public_url=https://api.meet.example.org"]);
    assert_eq!(ran.err, "");
}

/// Else each recording would fail, hours later.
#[test]
fn a_server_that_has_nowhere_for_its_recordings_says_so_at_once() {
    let folder = Folder::new();
    let file = folder.file("file", "");
    let ran = salon(&["serve", &folder.data(), NAMED, "--set=listen=127.0.0.1:0", &format!("--set=recording.folder={file}/x")]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains(&format!("salon: cannot make recording.folder {file}/x: ")), "{}", ran.err);
}

#[test]
fn migrating_makes_the_tables() {
    let folder = Folder::new();
    for _ in 0..2 {
        let out = salon(&["migrate", &folder.data()]).ok();
        assert!(out.starts_with("the database sqlite:") && out.ends_with("salon.db is up to date\n"), "{out}");
    }
    let ran = salon(&["migrate", "--set", "database.url=sqlite:/no/such/folder/salon.db"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.starts_with("salon: the database cannot be opened; see database.url: "), "{}", ran.err);
}

#[test]
fn settings_of_a_worker_are_judged_as_such_before_it_opens_anything() {
    let folder = Folder::new();
    let shared = "--set=database.url=postgres://salon:hunter2@db/salon";
    let data = folder.data();
    for command in [&["check-config", "--worker"][..], &["recorder", "--worker"]] {
        let ran = salon(&[command, &[&data]].concat());
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(ran.err.contains("database.url is sqlite:") && ran.err.contains("shares the PostgreSQL"), "{}", ran.err);
        assert!(ran.err.contains("cluster.listen must be set"), "{}", ran.err);
    }
    assert!(!folder.0.join("data").exists(), "nothing is made");
    // It needs no name that people call it by.
    salon(&["check-config", "--worker", &data, shared, "--set=cluster.listen=10.0.0.5:8790"]).ok();
    let ran = salon(&["check-config", &data, NAMED, "--set=recording.workers_only=true"]);
    assert!(ran.code == Some(2) && ran.err.contains("SQLite, which no worker shares"), "{}", ran.err);
    salon(&["check-config", &data, NAMED, shared, "--set=recording.workers_only=true"]).ok();
}
