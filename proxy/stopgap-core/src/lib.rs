//! The boundary with Python: the only file of the core that knows it, and the only one with a clock.
//!
//! The stub `_core.pyi` is the manual. A call from the gate costs one borrow of the session, one of
//! the worker and two looks at the clock (about 20 ns each here; passing a time from Python cost 60).

pub mod board;
pub mod events;
pub mod http1;
pub mod iis;
pub mod policy;
pub mod rules;
pub mod session;
pub mod verdict;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::board::Counters;
use crate::events::Ledger;
use crate::iis::codepage;
use crate::iis::readings::Readings;
use crate::iis::table::{CodePage, SERVERS, ServerTable};
use crate::policy::Work;
use crate::session::{Desk, Payload, Step};
use crate::verdict::{Reason, Tier};

pyo3::create_exception!(_core, PolicyError, PyValueError, "The specification of a policy is wrong.");

#[pyclass(frozen, module = "stopgap._core")]
struct Policy {
    inner: Arc<policy::Policy>,
    work: Mutex<Work>,
}

#[pymethods]
impl Policy {
    #[new]
    fn new(spec: &[u8]) -> PyResult<Self> {
        let inner = policy::Policy::compile(spec).map_err(PolicyError::new_err)?;
        Ok(Policy { inner: Arc::new(inner), work: Mutex::default() })
    }

    #[pyo3(signature = (request, site=None))]
    fn judge(&self, request: &[u8], site: Option<usize>) -> PyResult<Option<(u8, i64, u16)>> {
        self.check_site(site)?;
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = self.inner.judge_whole(request, site, &mut work).verdict;
        Ok(verdict.map(|verdict| (verdict.reason as u8, verdict.rule.map_or(-1, i64::from), verdict.reading)))
    }

    #[pyo3(signature = (request, site=None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        site: Option<usize>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.check_site(site)?;
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let text = self.inner.explain(request, site, &mut work).to_string();
        Ok(PyBytes::new(py, text.as_bytes()))
    }

    #[getter]
    fn sites(&self) -> Vec<&str> {
        self.inner.sites.iter().map(|site| site.name.as_str()).collect()
    }

    #[getter]
    fn rules(&self) -> Vec<&str> {
        self.inner.rules.iter().map(|rule| rule.id.as_str()).collect()
    }

    fn cost(&self) -> Vec<(String, String)> {
        let mut rows: Vec<(String, String)> = Vec::new();
        for (rule, trigger) in self.inner.sites.iter().flat_map(|site| site.rules.triggers()) {
            let row = (self.inner.rules[rule as usize].id.clone(), trigger);
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        rows
    }
}

impl Policy {
    fn check_site(&self, site: Option<usize>) -> PyResult<()> {
        match site {
            Some(index) if index >= self.inner.sites.len() => Err(PyIndexError::new_err("no such site")),
            _ => Ok(()),
        }
    }
}

/// The slot as atomics: other processes read it while this one writes.
#[expect(unsafe_code, reason = "PyO3 gives shared memory only as a pointer; the proof stands at the block")]
fn words(board: &PyBuffer<u64>) -> &[AtomicU64] {
    // SAFETY: `Worker::new` checked that the buffer is writable, contiguous, aligned for u64 and at
    // least WORDS long. Python keeps an exported buffer in place for as long as the `PyBuffer` lives,
    // and the slice borrows from it. AtomicU64 has the size and alignment of u64 and allows writes
    // through a shared reference, also by others that hold the same memory: Python writes other words
    // of it with whole aligned stores, under the GIL, and other processes only read.
    unsafe { std::slice::from_raw_parts(board.buf_ptr().cast::<AtomicU64>(), board::WORDS) }
}

#[pyclass(module = "stopgap._core")]
struct Worker {
    policy: Option<Arc<policy::Policy>>,
    work: Work,
    out: Vec<u8>,
    ledger: Ledger,
    board: PyBuffer<u64>,
    began: Instant,
}

/// A chunk that filled the output buffer beyond this gives it back: one upload must not cost for ever.
const OUT: usize = 262_144;

#[pymethods]
impl Worker {
    #[new]
    fn new(board: &Bound<'_, PyAny>, seed: u64) -> PyResult<Self> {
        let board = PyBuffer::get(board)?;
        let fits = board.item_count() >= board::WORDS && !board.readonly() && board.is_c_contiguous();
        if !fits || !board.buf_ptr().cast::<u64>().is_aligned() {
            return Err(PyValueError::new_err("board: needs a writable buffer of BOARD_WORDS words (\"Q\")"));
        }
        Ok(Worker {
            policy: None,
            work: Work::default(),
            out: Vec::new(),
            ledger: Ledger::new(seed),
            board,
            began: Instant::now(),
        })
    }

    fn activate(&mut self, policy: &Bound<'_, Policy>) {
        self.policy = Some(policy.get().inner.clone());
    }

    fn session(slf: Bound<'_, Self>, address: &str, tls: bool, trusted: bool) -> PyResult<Session> {
        let (policy, now) = {
            let worker = slf.borrow();
            let policy =
                worker.policy.clone().ok_or_else(|| PyRuntimeError::new_err("no policy is active"))?;
            Counters(words(&worker.board)).opened();
            (policy, worker.now())
        };
        let inner = session::Session::new(policy, address, tls, trusted, now);
        Ok(Session { inner, worker: slf.unbind(), ended: false })
    }

    fn events<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let now = self.now() / 1_000_000;
        self.ledger.take(now).into_iter().map(|event| event_tuple(py, event, now)).collect()
    }

    fn flush(&mut self) {
        self.ledger.end();
    }
}

impl Worker {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[pyclass(module = "stopgap._core")]
struct Session {
    inner: session::Session,
    worker: Py<Worker>,
    ended: bool,
}

type Reply<'py> = PyResult<(u8, Bound<'py, PyBytes>)>;

#[pymethods]
impl Session {
    #[getter]
    fn site(&self) -> u16 {
        self.inner.site()
    }

    #[getter]
    fn retriable(&self) -> bool {
        self.inner.retriable()
    }

    #[getter]
    fn busy(&self) -> bool {
        self.inner.busy()
    }

    fn receive<'py>(&mut self, data: &Bound<'py, PyBytes>) -> Reply<'py> {
        self.call(data.py(), Some(data), |session, desk| session.receive(desk, data.as_bytes()))
    }

    fn respond<'py>(&mut self, data: &Bound<'py, PyBytes>) -> Reply<'py> {
        self.call(data.py(), Some(data), |session, desk| session.respond(desk, data.as_bytes()))
    }

    fn lost<'py>(&mut self, py: Python<'py>) -> Reply<'py> {
        self.call(py, None, session::Session::lost)
    }

    fn fail<'py>(&mut self, py: Python<'py>, reason: usize) -> Reply<'py> {
        let reason = Reason::ALL.get(reason).filter(|reason| reason.tier() == Tier::Failed);
        let reason = *reason.ok_or_else(|| PyIndexError::new_err("not a reason of tier \"failed\""))?;
        self.call(py, None, |session, desk| session.fail(desk, reason))
    }

    fn expire<'py>(&mut self, py: Python<'py>) -> Reply<'py> {
        self.call(py, None, session::Session::expire)
    }

    fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        self.call(py, None, |session, desk| {
            session.end(desk);
            desk.counters.closed();
            Step::WAIT
        })
        .map(|_| ())
    }
}

impl Session {
    /// Lend the worker's desk to the session for one step, and hand its bytes to Python.
    fn call<'py>(
        &mut self,
        py: Python<'py>,
        given: Option<&Bound<'py, PyBytes>>,
        step: impl FnOnce(&mut session::Session, &mut Desk<'_>) -> Step,
    ) -> Reply<'py> {
        let mut worker = self.worker.bind(py).borrow_mut();
        let Worker { policy, work, out, ledger, board, began } = &mut *worker;
        let Some(policy) = policy else { return Err(PyRuntimeError::new_err("no policy is active")) };
        let elapsed = |began: &Instant| u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let now = elapsed(began);
        let counters = Counters(words(board));
        let mut desk = Desk { policy, work, out, ledger, counters, now, decided: false };
        let step = step(&mut self.inner, &mut desk);
        if desk.decided {
            counters.decision(elapsed(began) - now);
        }
        let bytes = match (step.payload, given) {
            (Payload::Given, Some(data)) => data.clone(),
            (Payload::Written, _) => PyBytes::new(py, out),
            _ => PyBytes::new(py, b""),
        };
        if out.capacity() > OUT {
            *out = Vec::new();
        }
        Ok((step.command, bytes))
    }
}

fn event_tuple(py: Python<'_>, event: events::Event, now: u64) -> PyResult<Bound<'_, PyTuple>> {
    let details = event.details;
    let action = if event.detected { "detected" } else { "refused" };
    let first = (event.id, event.count, now - event.first, now - event.last, details.site, action);
    let second = (
        event.tier.name(),
        event.reason.name(),
        details.status,
        details.rule,
        details.reading,
        details.offset,
    );
    let third = (
        details.method,
        PyBytes::new(py, &details.target),
        details.target_length,
        details.host,
        PyBytes::new(py, &details.agent),
        details.client,
    );
    let parts = [first.into_pyobject(py)?, second.into_pyobject(py)?, third.into_pyobject(py)?];
    PyTuple::new(py, parts.iter().flat_map(|part| part.iter()).collect::<Vec<_>>())
}

type ReasonRow = (&'static str, &'static str, u16, &'static str, &'static str);

#[pyfunction]
fn reasons() -> Vec<ReasonRow> {
    let row =
        |reason: &Reason| (reason.name(), reason.tier().name(), reason.status(), reason.iis(), reason.text());
    Reason::ALL.iter().map(row).collect()
}

#[pyfunction]
fn servers() -> Vec<&'static str> {
    SERVERS.iter().map(|server| server.name).collect()
}

fn named(server: &str) -> PyResult<&'static ServerTable> {
    ServerTable::named(server).ok_or_else(|| PyValueError::new_err(format!("unknown server {server:?}")))
}

#[pyfunction]
fn codepages() -> Vec<u16> {
    codepage::numbers().collect()
}

#[pyfunction]
fn limits<'py>(py: Python<'py>, server: &str) -> PyResult<Bound<'py, PyDict>> {
    let rows =
        policy::limits(server).ok_or_else(|| PyValueError::new_err(format!("unknown server {server:?}")))?;
    let dict = PyDict::new(py);
    rows.into_iter().try_for_each(|(key, value)| dict.set_item(key, value))?;
    Ok(dict)
}

#[pyfunction]
fn deadlines(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    policy::deadlines().iter().try_for_each(|(key, value)| dict.set_item(key, value))?;
    Ok(dict)
}

#[pyfunction]
fn buffers_body(server: &str) -> PyResult<bool> {
    let table = named(server)?;
    Ok(table.buffer_body)
}

/// (name, first word, words) of every region of a slot.
#[pyfunction]
#[pyo3(name = "board")]
fn board_layout() -> Vec<(&'static str, usize, usize)> {
    board::LAYOUT.to_vec()
}

#[pyfunction]
fn buckets(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("filter_seconds", board::FILTER.bounds())?;
    dict.set_item("request_seconds", board::REQUEST.bounds())?;
    Ok(dict)
}

type ReadingRow<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, Vec<String>, Vec<&'static str>);

#[pyfunction]
fn readings<'py>(
    py: Python<'py>,
    target: &[u8],
    server: &str,
    codepages: Vec<u16>,
) -> PyResult<Vec<ReadingRow<'py>>> {
    let table = named(server)?;
    let page = |page: u16| {
        let known = codepage::page(CodePage(page)).map(|_| CodePage(page));
        known.ok_or_else(|| PyValueError::new_err(format!("unknown code page {page}")))
    };
    let pages = codepages.into_iter().map(page).collect::<PyResult<Vec<_>>>()?;
    let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
    let mut readings = Readings::default();
    readings.read(if path.is_empty() { b"/" } else { path }, table, &pages);
    let row = |index: usize| {
        let view = readings.view(index);
        let anomalies = readings.anomalies().iter().filter(|anomaly| usize::from(anomaly.reading) == index);
        let names = anomalies.map(|anomaly| anomaly.reason.name()).collect();
        (PyBytes::new(py, view.path), PyBytes::new(py, view.resolved), readings.steps(index), names)
    };
    Ok((0..readings.len()).map(row).collect())
}

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    use session::Command;
    let commands = [
        ("WAIT", Command::Wait),
        ("FORWARD", Command::Forward),
        ("OPEN", Command::Open),
        ("BODY", Command::Body),
        ("END", Command::End),
        ("HOLD", Command::Hold),
        ("SEND", Command::Send),
        ("ANSWER", Command::Answer),
        ("CLOSE", Command::Close),
        ("PAUSE", Command::Pause),
        ("RELAY", Command::Relay),
        ("WRITE", Command::Write),
        ("FINISH", Command::Finish),
        ("RETIRE", Command::Retire),
        ("PIN", Command::Pin),
        ("TUNNEL", Command::Tunnel),
    ];
    commands.into_iter().try_for_each(|(name, command)| module.add(name, command as u8))?;
    module.add("MORE", session::MORE)?;
    module.add("LAST", session::LAST)?;
    module.add("BOARD_WORDS", board::WORDS)?;
    module.add("PolicyError", module.py().get_type::<PolicyError>())?;
    module.add_class::<Policy>()?;
    module.add_class::<Worker>()?;
    module.add_class::<Session>()?;
    module.add_function(wrap_pyfunction!(reasons, module)?)?;
    module.add_function(wrap_pyfunction!(servers, module)?)?;
    module.add_function(wrap_pyfunction!(codepages, module)?)?;
    module.add_function(wrap_pyfunction!(limits, module)?)?;
    module.add_function(wrap_pyfunction!(deadlines, module)?)?;
    module.add_function(wrap_pyfunction!(buffers_body, module)?)?;
    module.add_function(wrap_pyfunction!(board_layout, module)?)?;
    module.add_function(wrap_pyfunction!(buckets, module)?)?;
    module.add_function(wrap_pyfunction!(readings, module)?)?;
    Ok(())
}
