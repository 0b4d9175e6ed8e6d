"""The linker: writes one kernel module from a loop, a scenario's physics and a rule, and compiles or interprets it.

Numba never finds a kernel in its disk cache when a rule is passed in or captured, and does not notice an edit in a rule
imported from another file. A generated module that holds the source of every function involved, under a name that
carries the hash of that source, cures both: the second process loads it in milliseconds, and an edit gives another name.
The same text without compilation is the interpreted kernel, the oracle of the tests.

Passing a wide tuple of arrays through Numba functions costs a reference count for every array at every call (measured:
12 times slower, compilation 20 times). The linker therefore spreads the aggregates ``world``, ``log`` and ``minds``: each
function receives, as plain arguments, just the columns that it or its callees use. A rule's ``state`` becomes the columns
of all minds and one row number: were it a record with the columns' lengths in its type, every number of task types or
neighbours would compile the kernel anew.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib.util
import inspect
import os
import sys
import tempfile
import textwrap
import threading
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sim.world.rows import own

PRIMITIVES = "sim.world.draws"
ORACLE = "sim.world.oracle"
STATE, STATE_ROW = "state", "state_row"
OWN = "own"
AGGREGATES = ("world", "log", "minds", STATE)
SPREAD = "_spread"
# Kernels never allocate, so they need no reference counts; only the roots are called from Python.
# The interpreter is free while a kernel runs: a page can answer a click meanwhile.
ROOT_OPTIONS = "@njit(_nrt=False, nogil=True, cache=True)"
INNER_OPTIONS = "@njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)"
Function = Callable[..., Any]


class LinkError(TypeError):
    """The sources of a kernel cannot be put into one module."""


def cache_folder() -> Path:
    """Where generated kernels and their machine code live: SWARMSCOPE_CACHE, else the user's cache, else a temporary one."""
    named = os.environ.get("SWARMSCOPE_CACHE")
    home = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "swarmscope"
    folder = home / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"swarmscope-kernels-{os.getuid() if hasattr(os, 'getuid') else 0}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class _Linker:
    """Collects the functions reachable from the roots, and what they need from their modules."""

    def __init__(self, bindings: Mapping[str, Function]) -> None:
        self.bindings = dict(bindings)
        self.nodes: dict[str, ast.FunctionDef] = {}
        self.owners: dict[str, object] = {}
        self.header: dict[str, str] = {}
        self.owners[OWN] = own

    def claim(self, name: str, thing: object) -> bool:
        """Reserve ``name``; False when it is there already, LinkError when for another thing."""
        if name in self.owners:
            if self.owners[name] is not thing and self.owners[name] != thing:
                raise LinkError(
                    f"kernel: the name '{name}' means two things ({self.owners[name]!r} and {thing!r}); rename one of them."
                )
            return False
        self.owners[name] = thing
        return True

    def add(self, name: str, function: Function) -> None:
        """Take in ``function`` under ``name`` and everything it refers to."""
        if not self.claim(name, function):
            return
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        node = tree.body[0]
        if not isinstance(node, ast.FunctionDef) or node.name != function.__name__:
            raise LinkError(
                f"kernel: expected the plain function {function.__name__} in {inspect.getsourcefile(function)}, found "
                f"something else there; if the file changed since the program started, start it again."
            )
        node.name = name
        node.decorator_list = []
        node.returns = None
        for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
            argument.annotation = None
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        self.nodes[name] = node
        self.resolve(node, function)

    def resolve(self, node: ast.FunctionDef, function: Function) -> None:
        """Find every global that the function's body names."""
        local = {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        local |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
        scope = function.__globals__
        for name in dict.fromkeys(n.id for n in names if isinstance(n.ctx, ast.Load)):
            if name in local or (name not in scope and hasattr(builtins, name)):
                continue
            if name in self.bindings:
                self.add(name, self.bindings[name])
            elif name in scope:
                self.take(name, scope[name], function)
            else:
                raise LinkError(
                    f"kernel: {function.__module__}.{function.__name__} uses '{name}', which nothing defines."
                )

    def take(self, name: str, value: Any, user: Function) -> None:
        """Make a global of another module available in the kernel."""
        if isinstance(value, types.FunctionType):
            self.add(name, value)
        elif isinstance(value, types.ModuleType):
            if self.claim(name, value.__name__):
                self.header[name] = f"import {value.__name__} as {name}"
        elif isinstance(value, bool | int | float | str):
            if self.claim(name, ("constant", value)):
                self.header[name] = f"{name} = {value!r}"
        else:
            home = getattr(value, "__module__", user.__module__)
            real = getattr(value, "__name__", name)
            if not hasattr(sys.modules.get(home), real):
                home, real = user.__module__, name
            if self.claim(name, (home, real)):
                self.header[name] = f"from {home} import {real} as {name}"

    def text(self, *, compiled: bool, roots: tuple[str, ...]) -> str:
        """The module's source."""
        wrappers = _spread(self.nodes, roots=roots)
        if compiled:
            self.widen()
            if sum(_Pieces().cut(node) for node in self.nodes.values()):
                self.header[OWN] = f"from {own.__module__} import {OWN}"
        how = ["from numba import njit", "import numpy as np"] if compiled else []
        lines = ["# Generated by sim.world.linker; edit the rule or the scenario instead.", *how]
        header = sorted(self.header.values())
        lines += (
            header
            if compiled
            else [line.replace(f"from {PRIMITIVES} import", f"from {ORACLE} import") for line in header]
        )
        for name, node in {**self.nodes, **wrappers}.items():
            if compiled:
                root = name.removesuffix(SPREAD) in roots
                lines += [] if name in wrappers else [ROOT_OPTIONS if root else INNER_OPTIONS]
            lines += [ast.unparse(ast.fix_missing_locations(node)), ""]
        return "\n".join(lines) + "\n"

    def widen(self) -> None:
        """Give integer constants the type int64: Numba would compile a callee anew for every literal it is called with."""
        for name, line in self.header.items():
            owner = self.owners[name]
            if isinstance(owner, tuple) and owner[0] == "constant" and type(owner[1]) is int:
                self.header[name] = f"{name} = np.int64({owner[1]})"
            else:
                self.header[name] = line
        widener = _Widener(set(self.nodes))
        for node in self.nodes.values():
            widener.visit(node)
        for value in sorted(widener.seen):
            self.header[_literal_name(value)] = f"{_literal_name(value)} = np.int64({value})"


def _literal_name(value: int) -> str:
    return f"MINUS_{-value}" if value < 0 else f"PLUS_{value}"


class _Widener(ast.NodeTransformer):
    """Replaces integer literals among the arguments of kernel functions by named int64 constants."""

    def __init__(self, functions: set[str]) -> None:
        self.functions = functions
        self.seen: set[int] = set()

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Only calls inside the kernel matter."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self.functions:
            node.args = [self.named(argument) for argument in node.args]
        return node

    def named(self, argument: ast.expr) -> ast.expr:
        """A name for an integer literal; anything else as it is."""
        try:
            value = ast.literal_eval(argument)
        except ValueError:
            return argument
        if type(value) is not int:
            return argument
        self.seen.add(value)
        return ast.Name(_literal_name(value), ast.Load())


class _Pieces(ast.NodeTransformer):
    """Replaces ``state_trust[state_row]`` by ``own(state_trust, state_row)``: the same row, known to lie in one piece."""

    def __init__(self) -> None:
        self.found = False

    def cut(self, node: ast.FunctionDef) -> bool:
        """Rewrite ``node``; whether there was a mind's row in it."""
        self.visit(node)
        return self.found

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Only whole rows of a mind's columns matter."""
        self.generic_visit(node)
        if isinstance(node.slice, ast.Name) and node.slice.id == STATE_ROW and isinstance(node.ctx, ast.Load):
            self.found = True
            return ast.Call(ast.Name(OWN, ast.Load()), [node.value, node.slice], [])
        return node


Leaves = dict[str, dict[str, list[str]]]
Faces = dict[str, list[str]]


def _spread(nodes: dict[str, ast.FunctionDef], *, roots: tuple[str, ...]) -> dict[str, ast.FunctionDef]:
    """Spread the aggregates in ``nodes`` (in place); return wrappers that give the roots their old face."""
    faces = {name: [a.arg for a in node.args.args] for name, node in nodes.items()}
    leaves = _leaves(nodes, faces)
    for name, node in nodes.items():
        _Spreader(name, faces, leaves).visit(node)
        node.args.args = [ast.arg(leaf) for a in faces[name] for leaf in _expanded(a, leaves[name])]
    wrappers = {}
    for root in roots:
        inner = nodes.pop(root)
        inner.name = f"{root}{SPREAD}"
        nodes[inner.name] = inner
        call = ", ".join(
            part
            for a in faces[root]
            for part in ([f"{a}.{leaf}" for leaf in leaves[root][a]] if a in leaves[root] else [a])
        )
        text = f"def {root}({', '.join(faces[root])}):\n    return {inner.name}({call})"
        wrapper = ast.parse(text).body[0]
        assert isinstance(wrapper, ast.FunctionDef)
        wrappers[root] = wrapper
    return wrappers


def _expanded(argument: str, leaves: dict[str, list[str]]) -> list[str]:
    """The plain arguments that stand for ``argument``; a mind's state is its columns and its row in them."""
    columns = [f"{argument}_{leaf}" for leaf in leaves[argument]] if argument in leaves else [argument]
    return [*columns, STATE_ROW] if argument == STATE else columns


def _passed(call: ast.Call, faces: Faces) -> list[tuple[str, str, ast.expr]]:
    """``(what the callee calls it, what the caller calls it, argument)`` of every aggregate that a call passes on."""
    assert isinstance(call.func, ast.Name)
    found: list[tuple[str, str, ast.expr]] = []
    for name, argument in zip(faces[call.func.id], call.args, strict=False):
        if isinstance(argument, ast.Name) and name in AGGREGATES:
            found.append((name, argument.id, argument))
        elif name == STATE and isinstance(argument, ast.Subscript) and isinstance(argument.value, ast.Name):
            found.append((name, argument.value.id, argument))
        elif name in AGGREGATES:
            raise LinkError(f"kernel: {call.func.id} takes '{name}' as a whole, got '{ast.unparse(argument)}'.")
    return found


def _leaves(nodes: dict[str, ast.FunctionDef], faces: Faces) -> Leaves:
    """For each function and each aggregate among its parameters, the columns it needs itself or for its callees."""
    found: dict[str, dict[str, set[str]]] = {name: {a: set() for a in faces[name] if a in AGGREGATES} for name in nodes}
    calls: list[tuple[set[str], set[str]]] = []
    for name, node in nodes.items():
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in found[name]:
                found[name][part.value.id].add(part.attr)
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in nodes:
                for theirs, ours, _ in _passed(part, faces):
                    if ours not in found[name]:
                        raise LinkError(
                            f"kernel: {name} gives '{ours}' to {part.func.id} as its '{theirs}', but has none."
                        )
                    calls.append((found[name][ours], found[part.func.id][theirs]))
    changed = True
    while changed:
        changed = False
        for mine, needed in calls:
            if needed - mine:
                mine.update(needed)
                changed = True
    return {name: {a: sorted(columns) for a, columns in each.items()} for name, each in found.items()}


class _Spreader(ast.NodeTransformer):
    """Rewrites the body of one function: ``world.items`` becomes ``world_items``, and so in the calls.

    ``state.trust`` becomes ``state_trust[state_row]``: one column of all minds, and the row of the one who decides.
    """

    def __init__(self, name: str, faces: Faces, leaves: Leaves) -> None:
        self.own = leaves[name]
        self.faces = faces
        self.leaves = leaves

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """A column of an aggregate is a plain argument now."""
        if isinstance(node.value, ast.Name) and node.value.id in self.own:
            name = f"{node.value.id}_{node.attr}"
            if node.value.id == STATE:
                return ast.Subscript(ast.Name(name, ast.Load()), ast.Name(STATE_ROW, ast.Load()), node.ctx)
            return ast.Name(name, node.ctx)
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Callees receive the columns they need."""
        callee = node.func.id if isinstance(node.func, ast.Name) and node.func.id in self.faces else ""
        passed = (
            {id(argument): (theirs, ours) for theirs, ours, argument in _passed(node, self.faces)} if callee else {}
        )
        arguments: list[ast.expr] = []
        for argument in node.args:
            if id(argument) not in passed:
                arguments.append(self.visit(argument))
                continue
            theirs, ours = passed[id(argument)]
            arguments += [ast.Name(f"{ours}_{column}", ast.Load()) for column in self.leaves[callee][theirs]]
            if isinstance(argument, ast.Subscript):
                arguments.append(self.visit(argument.slice))
            elif theirs == STATE:
                arguments.append(ast.Name(STATE_ROW, ast.Load()))
        node.args = arguments
        return node


def _primitive_sources() -> str:
    spec = importlib.util.find_spec(PRIMITIVES)
    if spec is None or spec.origin is None:
        raise LinkError(f"kernel: {PRIMITIVES} has no source.")
    return Path(spec.origin).read_text()


# Modules linked by this process; reading and spreading the sources takes a tenth of a second.
_linked: dict[tuple[object, ...], Any] = {}
# A module is in sys.modules before it is whole: a second thread waits.
_linking = threading.RLock()


def link(roots: Mapping[str, Function], *, bindings: Mapping[str, Function], compiled: bool = True) -> Any:
    """A module holding the functions ``roots``, with the contract's names bound.

    Args:
        roots: Name to function; these are the entry points of the module.
        bindings: Contract name (``choose``, ``learn``, ``sense``, ``apply`` ...) to the function that stands for it.
        compiled: Compile with Numba and its disk cache, or leave the functions to the interpreter.
    """
    key = (tuple(roots.items()), tuple(bindings.items()), compiled)
    with _linking:
        if key not in _linked:
            linker = _Linker(bindings)
            for name, function in roots.items():
                linker.add(name, function)
            _linked[key] = _load(linker.text(compiled=compiled, roots=tuple(roots)), compiled=compiled)
        return _linked[key]


def _load(text: str, *, compiled: bool) -> Any:
    seal = hashlib.sha256((text + _primitive_sources()).encode()).hexdigest()[:16]
    name = f"swarmscope_kernel_{seal}"
    if name in sys.modules:
        return sys.modules[name]
    path = cache_folder() / f"{name}.py"
    if not path.exists():
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(text)
        temporary.replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LinkError(f"kernel: {path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
