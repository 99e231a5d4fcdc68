"""Runs a Python program that calls mx.fast.metal_kernel, and records the calls.

usage: record_program.py PROGRAM REQUEST RECORD

REQUEST is a JSON object: "function" (a name, or null to look for one) and
"samples", a list of objects with the sizes B Hq Hkv Lq Lk D and causal.
RECORD receives what was recorded. Nothing is launched: every output is noise,
so that it is known again when it comes back as an input of the next kernel.

MLX's own arrays are used (on the CPU); only metal_kernel is a stand-in.
"""

import contextlib
import importlib.util
import inspect
import io
import json
import sys
import traceback

import mlx.core as mx

MAX_VALUES = 64  # of a small input, written out


def dtype_name(dtype):
    return str(dtype).rsplit(".", 1)[-1]


def listed(array):
    """Its numbers; JSON has no infinities, so they are cut to float's range."""
    values = array.astype(mx.float32).reshape(-1).tolist()
    return [min(max(x, -3.4e38), 3.4e38) if x == x else 0.0 for x in values]


def same(a, b):
    """Whether b is a, perhaps cast or reshaped."""
    if a is b:
        return True
    if a.size != b.size or a.size == 0:
        return False
    if mx.issubdtype(a.dtype, mx.floating) != mx.issubdtype(b.dtype, mx.floating):
        return False
    a, b = a.astype(mx.float32).reshape(-1), b.astype(mx.float32).reshape(-1)
    return bool(mx.allclose(a, b, rtol=1e-2, atol=1e-6))


class Recorder:
    def __init__(self):
        self.calls = []
        self.known = []  # (role, array)
        self.scale = None
        self.mask = None  # (Lq, Lk): which keys each query sees

    def begin(self, known=(), scale=None, mask=None):
        self.calls = []
        self.known = list(known)
        self.scale = scale
        self.mask = mask

    def role_of(self, array):
        for role, other in self.known:
            if array is other:
                return role
        for role, other in self.known:
            if array.shape == other.shape and same(array, other):
                return role
        if self.mask is not None and array.dtype == mx.bool_:
            lengths = tuple(self.mask.shape)
            if array.ndim >= 2 and tuple(array.shape[-2:]) == lengths:
                if mx.array_equal(array, mx.broadcast_to(self.mask, array.shape)):
                    return "causal_mask"
                if bool(mx.all(array)):
                    return "full_mask"
        if self.scale is not None and array.size == 1:
            if mx.issubdtype(array.dtype, mx.floating):
                value = listed(array)[0]
                if abs(value - self.scale) <= 0.01 * abs(self.scale):
                    return "scale"
        return "values"

    def metal_kernel(
        self,
        name,
        input_names,
        output_names,
        source,
        header="",
        ensure_row_contiguous=True,
        atomic_outputs=False,
        compile_options=None,
    ):
        def call(
            *,
            inputs,
            output_shapes,
            output_dtypes,
            grid,
            threadgroup,
            template=None,
            init_value=None,
            verbose=False,
            stream=None,
        ):
            arrays = [x if isinstance(x, mx.array) else mx.array(x) for x in inputs]
            if len(arrays) != len(input_names):
                raise ValueError("[metal_kernel] inputs and input_names differ in number")
            described = []
            for label, array in zip(input_names, arrays):
                entry = {
                    "name": label,
                    "dtype": dtype_name(array.dtype),
                    "shape": list(array.shape),
                    "role": self.role_of(array),
                }
                if entry["role"] == "values" and array.size <= MAX_VALUES:
                    entry["values"] = listed(array)
                described.append(entry)
            values = []
            for label, value in template or []:
                if isinstance(value, mx.Dtype):
                    values.append({"name": label, "dtype": dtype_name(value)})
                elif isinstance(value, bool):
                    values.append({"name": label, "bool": value})
                else:
                    values.append({"name": label, "int": int(value)})
            index = len(self.calls)
            outputs = []
            for i, (label, shape, dtype) in enumerate(
                zip(output_names, output_shapes, output_dtypes)
            ):
                noise = mx.random.normal(tuple(shape)).astype(dtype)
                self.known.append((f"result {index} {i}", noise))
                outputs.append(noise)
            self.calls.append(
                {
                    "name": name,
                    "source": source,
                    "header": header,
                    "ensure_row_contiguous": bool(ensure_row_contiguous),
                    "atomic_outputs": bool(atomic_outputs),
                    "compile_options": compile_options or {},
                    "inputs": described,
                    "outputs": [
                        {"name": n, "dtype": dtype_name(d), "shape": list(s)}
                        for n, s, d in zip(output_names, output_shapes, output_dtypes)
                    ],
                    "grid": [int(x) for x in grid],
                    "threadgroup": [int(x) for x in threadgroup],
                    "template": values,
                    "init_value": init_value,
                }
            )
            return outputs

        return call


def attention_function(module, asked):
    """The function that takes queries, keys and values."""
    if asked:
        function = getattr(module, asked, None)
        if not callable(function):
            raise LookupError(f"the program defines no function '{asked}'")
        return function
    for name, value in vars(module).items():
        if not inspect.isfunction(value) or value.__module__ != module.__name__:
            continue
        first = [p[0].lower() for p in inspect.signature(value).parameters][:3]
        if first == ["q", "k", "v"]:
            return value
    return None


def record_sample(recorder, function, sample):
    b, lq, lk, d = sample["B"], sample["Lq"], sample["Lk"], sample["D"]
    mx.random.seed(lq + 7 * lk)
    query = mx.random.normal((b, sample["Hq"], lq, d)).astype(mx.bfloat16)
    key = mx.random.normal((b, sample["Hkv"], lk, d)).astype(mx.bfloat16)
    value = mx.random.normal((b, sample["Hkv"], lk, d)).astype(mx.bfloat16)
    scale = d**-0.5
    columns, rows = mx.arange(lk)[None], mx.arange(lq)[:, None]
    mask = columns <= rows + (lk - lq)
    recorder.begin([("query", query), ("key", key), ("value", value)], scale, mask)
    given = {}
    names = inspect.signature(function).parameters
    if "scale" in names:
        given["scale"] = scale
    if "causal" in names:
        given["causal"] = bool(sample["causal"])
    if "mask" in names:
        given["mask"] = "causal" if sample["causal"] and lq > 1 else None
    entry = {"sample": sample}
    try:
        result = function(query, key, value, **given)
        entry["result"] = recorder.role_of(result)
        entry["calls"] = recorder.calls
    except Exception as error:
        entry["error"] = f"{type(error).__name__}: {error}"[:500]
    return entry


def main(program, request_path, record_path):
    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    mx.set_default_device(mx.cpu)
    recorder = Recorder()
    mx.fast.metal_kernel = recorder.metal_kernel
    record = {"mlx": mx.__version__}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        spec = importlib.util.spec_from_file_location("program", program)
        module = importlib.util.module_from_spec(spec)
        sys.modules["program"] = module
        try:
            recorder.begin()
            spec.loader.exec_module(module)
        except Exception as error:
            record["load_error"] = f"{type(error).__name__}: {error}"[:500]
            last = traceback.extract_tb(error.__traceback__)[-1]
            record["load_error"] += f" (line {last.lineno})"
        record["module_calls"] = recorder.calls
        # Of a module that evoke exported; the plan as TOML.
        plan = getattr(module, "KERNEL_PLAN", None)
        record["plan"] = plan if isinstance(plan, str) else None
        function = None
        if "load_error" not in record:
            try:
                function = attention_function(module, request["function"])
            except LookupError as error:
                record["load_error"] = str(error)
        if function is not None:
            record["function"] = function.__name__
            record["samples"] = [
                record_sample(recorder, function, sample)
                for sample in request["samples"]
            ]
    with open(record_path, "w", encoding="utf-8") as file:
        json.dump(record, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
