//! A Postgres for the tests: the one named in SALON_TEST_POSTGRES, or a private server that dies with this process.
//! Without either, and with SALON_TEST_POSTGRES=none, the Postgres half is skipped, unless
//! SALON_TEST_REQUIRE_POSTGRES=1 says that it must not be.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

/// A server on which databases may be made.
pub struct Server {
    /// The url up to and without the database's name.
    base: String,
    /// What follows the name.
    query: String,
    /// The guard of a private server: it stops the server when its standard input closes, as it does however this
    /// process ends.
    _guard: Option<Child>,
}

impl Server {
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}{}", self.base, self.query)
    }

    /// A connection to the database that every server has.
    pub async fn admin(&self) -> sqlx::Result<PgConnection> {
        let options: PgConnectOptions = self.url("postgres").parse()?;
        options.connect().await
    }
}

/// The server of this test process, started when first asked for.
pub async fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(start)).await.expect("starting does not panic");
    match server {
        Ok(server) => {
            wait_until_ready(server).await;
            Some(server)
        }
        Err(reason) => {
            let required = std::env::var("SALON_TEST_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
            assert!(!required, "SALON_TEST_REQUIRE_POSTGRES is set, but {reason}");
            println!("skipped on Postgres: {reason}");
            None
        }
    }
}

async fn wait_until_ready(server: &Server) {
    let mut last = None;
    for _ in 0..300 {
        match server.admin().await {
            Ok(connection) => return connection.close().await.expect("a fresh connection closes"),
            Err(err) => last = Some(err),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("Postgres does not answer: {last:?}");
}

fn start() -> Result<Server, String> {
    if let Ok(url) = std::env::var("SALON_TEST_POSTGRES") {
        if url == "none" {
            return Err("SALON_TEST_POSTGRES=none says so".to_owned());
        }
        let (url, query) = url.split_once('?').map_or((url.as_str(), String::new()), |(url, q)| (url, format!("?{q}")));
        let authority = url.find("://").map_or(0, |at| at + 3);
        let base = url[authority..].find('/').map_or(url, |slash| &url[..authority + slash]);
        return Ok(Server { base: base.to_owned(), query, _guard: None });
    }
    let bin = binaries().ok_or("SALON_TEST_POSTGRES is not set and no Postgres is installed")?;
    let dir = std::env::temp_dir().join(format!("salon-test-postgres-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|err| err.to_string())?;
    start_private(&bin, &dir).inspect_err(|_| drop(std::fs::remove_dir_all(&dir)))
}

fn start_private(bin: &Path, dir: &Path) -> Result<Server, String> {
    let user = unprivileged(dir)?;
    let data = dir.join("data");
    let made = Command::new(user[0])
        .args(&user[1..])
        .arg(bin.join("initdb"))
        .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--pgdata"])
        .arg(&data)
        .current_dir(dir)
        .output()
        .map_err(|err| format!("initdb does not start: {err}"))?;
    if !made.status.success() {
        return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr)));
    }
    // `cat` ends when this process does. Waiting for the server keeps its directory until it has let go of it.
    let guard = r#"dir=$1; shift; "$@" & server=$!; trap '' INT TERM; cat; kill -INT $server; wait $server; rm -rf "$dir""#;
    let settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=400"];
    let child = Command::new("sh")
        .args(["-c", guard, "sh"])
        .arg(dir)
        .args(&user)
        .arg(bin.join("postgres"))
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(dir)
        .args(["-c", "listen_addresses="])
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(dir.join("log")).map_err(|err| err.to_string())?)
        .spawn()
        .map_err(|err| format!("Postgres does not start: {err}"))?;
    let query = format!("?host={}", dir.display());
    Ok(Server { base: "postgres://postgres@localhost".into(), query, _guard: Some(child) })
}

/// Where the programs of the newest installed Postgres are.
fn binaries() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    // Debian keeps them off the path, a folder for each version.
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    versions.sort();
    on_path.chain(versions.into_iter().rev()).find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

/// The words before a command that must not run as root, which Postgres refuses to. Hands `dir` to that user.
fn unprivileged(dir: &Path) -> Result<Vec<&'static str>, String> {
    let id = Command::new("id").arg("-u").output().map_err(|err| format!("id does not run: {err}"))?;
    if id.stdout != b"0\n" {
        return Ok(vec!["env"]);
    }
    let given = Command::new("chown").arg("postgres").arg(dir).status().map_err(|err| format!("chown does not run: {err}"))?;
    if !given.success() {
        return Err("Postgres does not run as root, and there is no user postgres".into());
    }
    Ok(vec!["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"])
}
