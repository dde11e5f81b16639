//! The boundary with Python: the only file of the core that knows it, and the only one with a clock.
//!
//! The stub `_core.pyi` is the manual. A call from the gate costs one borrow of the session, one of
//! the worker and two looks at the clock (about 20 ns each here; passing a time from Python cost 60).

pub mod board;
pub mod events;
pub mod evidence;
pub mod http1;
pub mod iis;
pub mod policy;
pub mod present;
pub mod rate;
pub mod rules;
pub mod session;
pub mod verdict;

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicU64};
use std::time::Instant;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes, PyDict, PyTuple};

use crate::iis::table::{CodePage, SERVERS, ServerTable};
use crate::iis::{codepage, readings::Readings};
use crate::policy::{Rates, Work};
use crate::session::{Desk, Payload, Step};
use crate::verdict::Reason;
use crate::{board::Counters, events::Ledger};

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
        let verdict = self.inner.judge_whole(request, site, true, &mut work).verdict;
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

    fn modes(&self, site: usize) -> PyResult<Vec<(&str, &str, &str)>> {
        self.check_site(Some(site))?;
        let rows = self.inner.modes(site).into_iter();
        Ok(rows.map(|(name, reason, mode)| (name, reason.name(), mode.name())).collect())
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

    fn timed(
        &self,
        py: Python<'_>,
        requests: Vec<Bound<'_, PyBytes>>,
        rounds: u32,
    ) -> Vec<(String, u64, u64, u64)> {
        let requests: Vec<&[u8]> = requests.iter().map(|request| request.as_bytes()).collect();
        let began = Instant::now();
        py.detach(|| self.inner.timed(&requests, rounds, &|| nanoseconds(&began)))
    }
}

fn failure(index: usize) -> PyResult<Reason> {
    Reason::failure(index).ok_or_else(|| PyIndexError::new_err("not a reason of tier \"failed\""))
}

fn nanoseconds(began: &Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

impl Policy {
    fn check_site(&self, site: Option<usize>) -> PyResult<()> {
        match site {
            Some(index) if index >= self.inner.sites.len() => Err(PyIndexError::new_err("no such site")),
            _ => Ok(()),
        }
    }
}

/// Shared memory as atomics: other processes read it while this one writes, and write the rates too.
#[expect(unsafe_code, reason = "PyO3 gives shared memory only as a pointer; the proof stands at the block")]
fn words(shared: &PyBuffer<u64>, length: usize) -> &[AtomicU64] {
    // SAFETY: `words_of` checked that the buffer is writable, contiguous, aligned for u64 and at least
    // `length` long. Python keeps an exported buffer in place for as long as the `PyBuffer` lives,
    // and the slice borrows from it. AtomicU64 has the size and alignment of u64 and allows writes
    // through a shared reference, also by others that hold the same memory: Python writes other words
    // of it with whole aligned stores, under the GIL, and other processes read it or use atomics too.
    unsafe { std::slice::from_raw_parts(shared.buf_ptr().cast::<AtomicU64>(), length) }
}

/// A buffer that can be taken for `length` atomics.
fn words_of(shared: &Bound<'_, PyAny>, length: usize, error: &'static str) -> PyResult<PyBuffer<u64>> {
    let shared = PyBuffer::get(shared)?;
    let fits = shared.item_count() >= length && !shared.readonly() && shared.is_c_contiguous();
    if !fits || !shared.buf_ptr().cast::<u64>().is_aligned() {
        return Err(PyValueError::new_err(format!("{error} words (\"Q\")")));
    }
    Ok(shared)
}

/// Nanoseconds of the clock that all processes of a machine share and nobody sets (CLOCK_MONOTONIC).
fn monotonic(py: Python<'_>) -> PyResult<u64> {
    py.import("time")?.getattr("monotonic_ns")?.call0()?.extract()
}

#[pyclass(module = "stopgap._core")]
struct Worker {
    policy: Option<Arc<policy::Policy>>,
    work: Work,
    out: Vec<u8>,
    ledger: Ledger,
    board: PyBuffer<u64>,
    rates: PyBuffer<u64>,
    began: Instant,
    /// What the clock that all workers share said then.
    shared: u64,
    leaving: bool,
}

/// A chunk that filled the output buffer beyond this gives it back: one upload must not cost for ever.
const OUT: usize = 262_144;

#[pymethods]
impl Worker {
    #[new]
    fn new(board: &Bound<'_, PyAny>, seed: u64, rates: &Bound<'_, PyAny>) -> PyResult<Self> {
        let shared = monotonic(board.py())?;
        let board = words_of(board, board::WORDS, "board: needs a writable buffer of BOARD_WORDS")?;
        let rates = words_of(rates, Rates::WORDS, "rates: needs a writable buffer of RATE_WORDS")?;
        let own = Counters(words(&board, board::WORDS)).present();
        Rates::new(words(&rates, Rates::WORDS), own, 0).present.sweep();
        Ok(Worker {
            policy: None,
            work: Work::default(),
            out: Vec::new(),
            ledger: Ledger::new(seed),
            board,
            rates,
            began: Instant::now(),
            shared,
            leaving: false,
        })
    }

    fn activate(&mut self, policy: &Bound<'_, Policy>) {
        self.policy = Some(policy.get().inner.clone());
    }

    #[pyo3(signature = (address, tls, trusted, redirect=0))]
    fn session(
        slf: Bound<'_, Self>,
        address: &str,
        tls: bool,
        trusted: bool,
        redirect: u16,
    ) -> PyResult<Session> {
        let inner = slf.borrow_mut().lend(|desk| {
            desk.counters.opened();
            let mut session = session::Session::new(desk.policy.clone(), address, tls, trusted, desk.now);
            session.redirect_to(redirect);
            session.open(desk);
            session
        })?;
        Ok(Session { inner, worker: slf.unbind(), ended: false })
    }

    fn events<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let now = self.now() / 1_000_000;
        self.ledger.take(now).into_iter().map(|event| event_tuple(py, event, now)).collect()
    }

    fn evidence(&mut self) -> (Vec<evidence::Row>, u64) {
        self.ledger.shelf.take(self.now() / 1_000_000)
    }

    fn leave(&mut self) {
        self.leaving = true;
    }

    fn flush(&mut self) {
        self.ledger.end();
    }
}

impl Worker {
    fn now(&self) -> u64 {
        nanoseconds(&self.began)
    }

    /// Lend the desk for one step of a session.
    fn lend<T>(&mut self, step: impl FnOnce(&mut Desk<'_>) -> T) -> PyResult<T> {
        let Worker { policy, work, out, ledger, board, rates, began, shared, leaving } = self;
        let Some(policy) = policy else { return Err(PyRuntimeError::new_err("no policy is active")) };
        let now = nanoseconds(began);
        let counters = Counters(words(board, board::WORDS));
        let rates = Rates::new(words(rates, Rates::WORDS), counters.present(), *shared + now);
        let mut desk =
            Desk { policy, work, out, ledger, counters, rates, now, leaving: *leaving, decided: false };
        let done = step(&mut desk);
        if desk.decided {
            counters.decision(nanoseconds(began) - now);
        }
        Ok(done)
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
    fn belongs(&self) -> Option<u16> {
        self.inner.belongs()
    }

    fn carried(&mut self, origin: u16) {
        self.inner.carried(origin);
    }

    #[getter]
    fn busy(&self) -> bool {
        self.inner.busy()
    }

    #[getter]
    fn fault(&self) -> Option<usize> {
        self.inner.fault().map(|reason| reason as usize)
    }

    #[getter]
    fn closed(&self) -> bool {
        self.inner.closed()
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
        let reason = failure(reason)?;
        self.call(py, None, |session, desk| session.fail(desk, reason))
    }

    fn turn_away(&mut self, py: Python<'_>, reason: usize) -> PyResult<()> {
        let reason = failure(reason)?;
        self.worker.bind(py).borrow_mut().lend(|desk| self.inner.turn_away(desk, reason))
    }

    fn expire<'py>(&mut self, py: Python<'py>) -> Reply<'py> {
        self.call(py, None, session::Session::expire)
    }

    fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        self.worker.bind(py).borrow_mut().lend(|desk| {
            self.inner.end(desk);
            desk.counters.closed();
        })
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
        let step = worker.lend(|desk| step(&mut self.inner, desk))?;
        let out = &mut worker.out;
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
    let first = (event.id, event.count, now - event.first, now - event.last, details.site, event.done);
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
        event.mode.name(),
        details.cause,
    );
    let parts = [first.into_pyobject(py)?, second.into_pyobject(py)?, third.into_pyobject(py)?];
    PyTuple::new(py, parts.iter().flat_map(|part| part.iter()).collect::<Vec<_>>())
}

#[pyfunction]
fn reasons() -> Vec<(&'static str, &'static str, u16, &'static str, &'static str)> {
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
    named(server)?;
    policy::limits(server).unwrap_or_default().into_py_dict(py)
}

#[pyfunction]
fn deadlines(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    policy::deadlines().iter().copied().into_py_dict(py)
}

#[pyfunction]
fn buffers_body(server: &str) -> PyResult<bool> {
    Ok(named(server)?.buffer_body)
}

/// (name, first word, words) of every region of a slot.
#[pyfunction]
#[pyo3(name = "board")]
fn board_layout() -> Vec<(&'static str, usize, usize)> {
    board::LAYOUT.to_vec()
}

#[pyfunction]
fn buckets(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    [("filter_seconds", board::FILTER.bounds()), ("request_seconds", board::REQUEST.bounds())]
        .into_py_dict(py)
}

type ReadingRow<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, Vec<String>, Vec<&'static str>);

#[pyfunction]
fn readings<'py>(
    py: Python<'py>,
    target: &[u8],
    server: &str,
    codepages: Vec<u16>,
) -> PyResult<Vec<ReadingRow<'py>>> {
    let page = |page: u16| {
        let known = codepage::page(CodePage(page)).map(|_| CodePage(page));
        known.ok_or_else(|| PyValueError::new_err(format!("unknown code page {page}")))
    };
    let pages = codepages.into_iter().map(page).collect::<PyResult<Vec<_>>>()?;
    let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
    let mut readings = Readings::default();
    readings.read(if path.is_empty() { b"/" } else { path }, named(server)?, &pages);
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
        ("TARPIT", Command::Tarpit),
    ];
    commands.into_iter().try_for_each(|(name, command)| module.add(name, command as u8))?;
    module.add("MORE", session::MORE)?;
    module.add("LAST", session::LAST)?;
    module.add("BOARD_WORDS", board::WORDS)?;
    module.add("RATE_WORDS", Rates::WORDS)?;
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
