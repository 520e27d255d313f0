//! The container engine: where it listens, and whether it answers.
//!
//! In scope: finding the socket and asking it (`/_ping`). A `docker` command on the path says nothing: there are machines with one and no
//! engine. Not in scope: containers, which a program of its own holds (`container/`), because what speaks to an engine is heavy.

use std::env;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::Error;

/// How long an engine may take to answer that it is there.
const PING_LIMIT: Duration = Duration::from_secs(5);
/// What is read of its answer.
const MAX_ANSWER_BYTES: u64 = 4096;

/// A container engine that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    host: String,
}

impl Engine {
    /// The engine that `DOCKER_HOST` names, else the first that answers on one of the usual sockets.
    pub fn find() -> Result<Self, Error> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self::first_of(&candidates(variable))
    }

    fn first_of(hosts: &[String]) -> Result<Self, Error> {
        let mut tried = Vec::new();
        for host in hosts {
            match ping(host) {
                Ok(()) => return Ok(Self { host: host.clone() }),
                Err(cause) => tried.push(format!("{host}: {cause}")),
            }
        }
        Err(Error::NoEngine { tried })
    }

    /// Its address, as `DOCKER_HOST` has it.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// Where an engine may listen.
fn candidates(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    if let Some(host) = variable("DOCKER_HOST") {
        return vec![host];
    }
    let mut hosts = vec!["unix:///var/run/docker.sock".to_owned()];
    hosts.extend(variable("XDG_RUNTIME_DIR").map(|folder| format!("unix://{folder}/docker.sock")));
    if let Some(home) = variable("HOME") {
        hosts.extend(["run", "desktop"].map(|folder| format!("unix://{home}/.docker/{folder}/docker.sock")));
    }
    hosts
}

/// Asks an engine whether it is there.
fn ping(host: &str) -> io::Result<()> {
    let other = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
    if let Some(path) = host.strip_prefix("unix://") {
        let socket = UnixStream::connect(path)?;
        socket.set_read_timeout(Some(PING_LIMIT))?;
        socket.set_write_timeout(Some(PING_LIMIT))?;
        return answers(socket);
    }
    let address = host.strip_prefix("tcp://").or_else(|| host.strip_prefix("http://"));
    let address = address.ok_or_else(|| other("only unix:// and tcp:// addresses are understood".to_owned()))?;
    let address = address.trim_end_matches('/');
    // The emulator is called by one address from here and from inside the container, so both must be on this machine.
    let name = address.rsplit_once(':').map_or(address, |(name, _)| name);
    if !["localhost", "127.0.0.1", "[::1]"].contains(&name) {
        return Err(other("an engine on another machine would publish the emulator there, not here".to_owned()));
    }
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PING_LIMIT))?;
    socket.set_write_timeout(Some(PING_LIMIT))?;
    answers(socket)
}

fn answers(mut socket: impl Read + Write) -> io::Result<()> {
    socket.write_all(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    socket.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    let status = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    if status.split(' ').nth(1) == Some("200") {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("is no container engine: it answers {status:?}")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    #[test]
    fn docker_host_is_the_only_one_that_is_asked() {
        let environment = |name: &str| match name {
            "DOCKER_HOST" => Some("unix:///somewhere".to_owned()),
            _ => Some("/home/anna".to_owned()),
        };
        assert_eq!(candidates(environment), ["unix:///somewhere"]);
        let hosts = candidates(|name| (name == "HOME").then(|| "/home/anna".to_owned()));
        let usual =
            ["/var/run/docker.sock", "/home/anna/.docker/run/docker.sock", "/home/anna/.docker/desktop/docker.sock"];
        assert_eq!(hosts, usual.map(|path| format!("unix://{path}")));
    }

    #[test]
    fn where_none_answers_every_place_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join("dead.sock");
        // A socket whose listener is gone: the file stays.
        drop(UnixListener::bind(&dead).unwrap());
        let hosts =
            [format!("unix://{}", dead.display()), "tcp://10.0.0.1:2375".to_owned(), "ssh://anna@host".to_owned()];
        let error = Engine::first_of(&hosts).unwrap_err().to_string();
        for part in
            ["Connection refused", "another machine", "only unix:// and tcp://", "DOCKER_HOST", "unset CHARTSEAL_STACK"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(hosts.iter().all(|host| error.contains(host.as_str())), "{error}");
    }

    #[test]
    fn a_socket_that_speaks_something_else_is_no_engine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.sock");
        for (answer, is_engine) in
            [("HTTP/1.1 200 OK\r\n\r\nOK", true), ("HTTP/1.1 403 Forbidden\r\n\r\n", false), ("", false)]
        {
            let listener = UnixListener::bind(&path).unwrap();
            let server = thread::spawn(move || {
                let (mut client, _) = listener.accept().unwrap();
                let question = BufReader::new(&client).lines().map_while(Result::ok);
                let question: Vec<String> = question.take_while(|line| !line.is_empty()).collect();
                assert_eq!(question[0], "GET /_ping HTTP/1.1");
                client.write_all(answer.as_bytes()).unwrap();
            });
            let found = Engine::first_of(&[format!("unix://{}", path.display())]);
            server.join().unwrap();
            assert_eq!(found.is_ok(), is_engine, "{found:?}");
            fs::remove_file(&path).unwrap();
        }
    }
}
