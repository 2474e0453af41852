//! What stands below the arguments in each command's `--help`: what it does, examples, where settings come from.

pub(super) const SALON: &str = "\
Examples:
  salon dev                               try it: http://127.0.0.1:8787, API token dev-token
  salon serve --config salon.toml         run a server
  salon token create --account acme       make an API token for the account acme
  salon app create main --account acme    make an app, which meetings belong to
  salon check-config --config salon.toml  see the settings in effect
  salon import realtimekit --account ID   bring apps, presets, meetings and people from RealtimeKit
  salon bench                             measure what meetings cost on this machine

`salon COMMAND --help` explains each command.";

pub(super) const DEV: &str = "\
Serves REST, signaling, media and the page. Account `dev` and app `dev` are ready, with the API token `dev-token`.
Everybody knows that token, so this listens on this computer only. There is no limit on requests. If nobody chose the
media port and it is in use, a free one is taken. Meetings are kept in the data folder.

Examples:
  salon dev
  salon dev --listen 127.0.0.1:9000 --data /tmp/salon --media-port 0
  salon dev --set log.level=debug --set session.grace_secs=5

Once the line `salon ready http://ADDRESS:PORT` appears, it answers:
  curl -H 'Authorization: Bearer dev-token' \\
    http://127.0.0.1:8787/client/v4/accounts/dev/realtime/kit/dev/meetings

Settings come from, the later winning: defaults, the environment (SALON_LOG_LEVEL for log.level), --set, the flags
above. No file is read.";

pub(super) const SERVE: &str = "\
Serves REST, signaling, media and the page until SIGINT or SIGTERM. Prints `salon ready http://ADDRESS:PORT` when it
accepts requests, and logs to standard error. Put a proxy with TLS in front: browsers give no camera to plain HTTP.
It must know its names (http.hosts), or where the links lead that it hands out (http.public_url). Without the latter the
proxy must send X-Forwarded-Proto, or links begin with http:// and nobody can send files.

Examples:
  salon serve --set http.hosts=meet.example.org
  salon serve --config salon.toml --set log.format=json
  SALON_DATABASE_URL=postgres://salon:PASSWORD@db/salon salon serve --config salon.toml

Settings come from, the later winning: defaults, the file, the environment (SALON_DATABASE_URL for database.url,
SALON_LISTEN for listen), --set. A name that is no setting is a mistake. Lists may be written with commas.";

pub(super) const MIGRATE: &str = "\
Opens the database, makes what is missing and says so. `salon serve` does the same when it starts; run this before, to
see it succeed first. May run while the servers of the previous release still do.

Examples:
  salon migrate --config salon.toml
  salon migrate --set database.url=postgres://salon@db/salon

Settings come from the same places as those of `salon serve`.";

pub(super) const NODES: &str = "\
Prints a line for each node, by name: whether it lives, its live sessions, since when it runs, where other nodes reach it,
and when it last went on with sessions of another and why. A node that stopped in good order is not shown. One that renewed
its row in the last 1.5 s lives.

Examples:
  salon nodes --config salon.toml
  salon nodes --set database.url=postgres://salon@db/salon

Settings come from the same places as those of `salon serve`.";

pub(super) const ERASE: &str = "\
Takes names, pictures, your own ids, chat and its files, recordings of their voice alone, and what devices measured of a
person out of all sessions of an app, and deletes their participants. Who was where for how long stays, so counts and minutes do. A session that is live and knows them
comes first: end it, then erase. docs/data.md says what stays. A running server does the same by `POST \u{2026}/erasures`.

Examples:
  salon erase --app 7b1e1c1e-3a52-4c9f-a7c4-6b0c2f6a9d10 --custom-participant-id ann@example.org --config salon.toml

Settings come from the same places as those of `salon serve`.";

pub(super) const IMPORT: &str = "\
Reads from the other service with its own API and changes nothing there. Nothing is deleted here. Servers may run on,
also with SQLite. docs/moving.md goes through a whole move.

Examples:
  salon import realtimekit --account 023e105f4ecef8ad9ca31a8372d0c353 --dry-run --config salon.toml
  salon import realtimekit --account 023e105f4ecef8ad9ca31a8372d0c353 --config salon.toml";

pub(super) const IMPORT_REALTIMEKIT: &str = "\
Apps, presets, meetings and participants keep their ids, so that those in your own database stay valid. It can be done
again, as often as you like: the next time changes only what differs. What was changed here later than there stays as
it is here, unless you say --overwrite. Nothing is deleted, on either side, and who was deleted here stays so. One that
was cut off goes on when it is started anew within an hour of its beginning; later all is read again.

Tokens of participants cannot come along: each server signs its own. Sessions, recordings, chat and webhooks stay
there.

The API token needs the permission to read Realtime. It comes from the environment or a file, because arguments show
in `ps`. Too many requests (429) are waited for as long as the service says. At the end comes a table of what was
made, changed, as there already, left and refused, and each reason; a line for each thing goes to the report, which is
import-ACCOUNT.jsonl in the data folder. Exit code 1 says that something could not be brought.

Examples:
  export REALTIMEKIT_API_TOKEN; read -rs REALTIMEKIT_API_TOKEN
  salon import realtimekit --account 023e105f4ecef8ad9ca31a8372d0c353 --dry-run --config salon.toml
  salon import realtimekit --account 023e105f4ecef8ad9ca31a8372d0c353 --config salon.toml
  salon import realtimekit --account 023e105f4ecef8ad9ca31a8372d0c353 --into acme --token-file token --config salon.toml

Settings come from the same places as those of `salon serve`.";

pub(super) const SHADOW: &str = "\
A proxy for your backend to call instead of the API. Reads (GET) are asked of both servers: the one that you choose
answers at once, the other is compared in the background. EVERYTHING ELSE GOES TO THE CHOSEN ONE ONLY, so what is made
there is soon missing at the other. Answers are compared by status, shape and value, lists thing by thing; values that
differ each time (tokens, links that expire, minutes, updated_at) by their type only. What differs is summed up by
operation when it ends (SIGINT, SIGTERM), and goes to the report line by line, with the values: it holds names of
people.

Credentials are passed on, and never shown. If the two servers know different tokens, put the one for the server that
does not answer into SALON_SHADOW_TOKEN. It is asked only what the other one let the caller have. No proxy of the
environment is used.

Examples:
  salon shadow --answer upstream --report differs.jsonl      the service answers, Salon is tried
  salon shadow --answer salon --report differs.jsonl         Salon answers, the service is what it is held against
  SALON_SHADOW_TOKEN=salon_0123… salon shadow --answer upstream --salon https://meet.example.org

Then have your backend call http://127.0.0.1:8788/client/v4 instead of https://api.cloudflare.com/client/v4.";

pub(super) const DRAIN: &str = "\
Sessions that are begun at the node begin at others from then on; those it has go on until they are over, and this waits for
them. Sockets that come to it are passed on. Nobody is cut off: stop the node when this ends, and take it out of the load
balancer before, without closing its connections. It lasts until the node is started anew.

Examples:
  salon drain n1 --config salon.toml
  salon drain n1 --no-wait --config salon.toml
  salon drain n1 --undo --config salon.toml

Settings come from the same places as those of `salon serve`.";

pub(super) const UPGRADE: &str = "\
Put the new program where the old one lies (move it there, do not write into the file), then run this. It sends SIGUSR2
to the server that runs on the folder for data, and waits. Calls, sockets and sessions go on, in the same process;
people notice a pause of some tenths of a second. The server tries the new program first: one that cannot begin
changes nothing, and this says why. docs/operations.md has what does not go along.

Examples:
  salon upgrade --data /var/lib/salon
  install -T salon-new /usr/local/bin/salon && salon upgrade --config salon.toml

Settings come from the same places as those of `salon serve`; only `data` counts.";

pub(super) const SESSION: &str = "\
A session ends by itself when everyone has left. One whose record this release cannot read does not: an answer about it is
503, and nobody can join its meeting. Its log line names the session.

A SQLite database can be open in one process: stop the server first. With Postgres, servers may run on.

Examples:
  salon session end 3f9a1c52-8a44-4b8e-9f5e-0d4c6a2f7b11 --config salon.toml";

pub(super) const SESSION_END: &str = "\
Ends it as of the last moment at which it was alive, and prints that. Its people may join anew at once.

Examples:
  salon session end 3f9a1c52-8a44-4b8e-9f5e-0d4c6a2f7b11 --config salon.toml

Settings come from the same places as those of `salon serve`.";

pub(super) const CHECK_CONFIG: &str = "\
Prints every setting in effect as TOML, with where it comes from; passwords are masked. Touches neither database nor
network. If something is wrong, it names every mistake and ends with exit code 2. What may be a mistake it tells on
standard error.

Examples:
  salon check-config --config salon.toml
  salon check-config --config salon.toml --set media.announce=192.0.2.7,2001:db8::7
  salon check-config --worker --config worker.toml

Settings come from the same places as those of `salon serve`.";

pub(super) const TOKEN: &str = "\
An API token lets a program act for one account: make apps, meetings and participants over REST. Salon keeps only the
SHA-256 of a token, so a lost one cannot be shown again, only replaced. Servers may run on, also with SQLite. A token
that may manage the whole account can make more over REST: POST /client/v4/accounts/ACCOUNT/api-keys.

Examples:
  salon token create --account acme --label ci --config salon.toml
  salon token list --account acme --config salon.toml
  salon token revoke --account acme 3f9a1c --config salon.toml";

pub(super) const AUDIT: &str = "\
Every administrative and moderating act is in the audit log of its account: calls with an API key that change something,
what hosts do to others, these commands. It is read over REST: GET /client/v4/accounts/ACCOUNT/audit-log.

Examples:
  salon audit verify --config salon.toml
  salon audit verify --account acme --config salon.toml";

pub(super) const AUDIT_VERIFY: &str = "\
Reads the whole log and prints a line for each account: how many entries it has, and the hash of the last, which stands
for all of them; or the first entry that was changed, taken out or put in, and then the exit code is 1. Keep the hash
elsewhere: whoever can write to the database can write another chain, but not one with the same hash. Servers may run
on, also with SQLite.

Examples:
  salon audit verify --config salon.toml
  salon audit verify --account acme --set data=/var/lib/salon

Settings come from the same places as those of `salon serve`.";

pub(super) const APP: &str = "\
Meetings, participants and presets belong to an app, and an account may have many. The address of each REST call names
the account and the app's id. Servers may run on, also with SQLite.

Examples:
  salon app create main --account acme --config salon.toml
  salon app list --account acme --config salon.toml";

pub(super) const APP_CREATE: &str = "\
Prints the id of the app, and nothing else on standard output. An account needs no other preparation. Over REST it is
POST /client/v4/accounts/ACCOUNT/realtime/kit/apps.

Examples:
  salon app create main --account acme --config salon.toml
  APP=$(salon app create main --account acme --set data=/var/lib/salon)

Settings come from the same places as those of `salon serve`.";

pub(super) const APP_LIST: &str = "\
Prints a line for each app of the account, newest first: its id, when it was made, and its name.

Examples:
  salon app list --account acme --config salon.toml

Settings come from the same places as those of `salon serve`.";

pub(super) const TOKEN_CREATE: &str = "\
Prints the token, once, and nothing else on standard output. An account needs no other preparation.

Examples:
  salon token create --account acme --config salon.toml
  salon token create --account acme --label ci --email ops@example.org --config salon.toml
  salon token create --account acme --label stats --scope read --expires-days 90 --config salon.toml
  TOKEN=$(salon token create --account acme --set data=/var/lib/salon)

Settings come from the same places as those of `salon serve`.";

pub(super) const TOKEN_LIST: &str = "\
Prints a line for each token of the account, oldest first: the beginning of its SHA-256, when it was made, for whom, in
brackets what it is limited to and when it was last used (give or take an hour), and its label.

Examples:
  salon token list --account acme --config salon.toml

Settings come from the same places as those of `salon serve`.";

pub(super) const TOKEN_REVOKE: &str = "\
Servers that run refuse the token within seconds.

Examples:
  salon token revoke --account acme 3f9a1c --config salon.toml    by the beginning that `token list` shows
  salon token revoke salon_0123… --config salon.toml              by the token itself, if it leaked

Settings come from the same places as those of `salon serve`.";
