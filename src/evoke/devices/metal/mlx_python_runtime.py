# What follows is the same in every exported module.


def _div(a, b):
    """Division of plans: towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _mod(a, b):
    return a - b * _div(a, b)


def _ceil_div(a, b):
    return -(-a // b)


class _Refused(Exception):
    """Why the kernel does not take a call."""


class _Counts:
    """Calls since the hook was applied, as the graph was built."""

    def __init__(self):
        self.dispatches = collections.Counter()
        self.fallbacks = collections.Counter()

    def fall_back(self, reason):
        if reason not in self.fallbacks:
            warnings.warn(
                f"evoke kernel {KERNEL_HASH[:8]}: falling back to MLX: {reason}",
                stacklevel=3,
            )
        self.fallbacks[reason] += 1


_counts = _Counts()


def report():
    """What computed attention: {"kernel_hash", "dispatches": {variant: calls},
    "fallbacks": {reason: calls}}. Compare the sum with layers x steps."""
    return {
        "kernel_hash": KERNEL_HASH,
        "dispatches": dict(_counts.dispatches),
        "fallbacks": dict(_counts.fallbacks),
    }


@functools.lru_cache(maxsize=256)
def _as_array(value, dtype):
    return mx.array(value, dtype=dtype)


@functools.lru_cache(maxsize=None)
def _metal_kernel(variant, index, constants):
    launch = _VARIANTS[variant]["launches"][index]
    declarations = "".join(
        f"constexpr constant {'int' if -(2**31) <= value < 2**31 else 'int64_t'}"
        f" {name} = {value};\n"
        for name, value in constants
    )
    values = "_".join(
        str(value) for name, value in constants if name in _PROBLEM_CONSTANTS
    )
    return mx.fast.metal_kernel(
        name=f"evoke_{KERNEL_HASH[:8]}_v{variant}_{launch['kernel']}_{values}",
        input_names=[name for name, _, _ in launch["inputs"]],
        output_names=launch["outputs"],
        header=declarations + _HEADER,
        source=_SOURCES[launch["kernel"]],
        ensure_row_contiguous=False,
        atomic_outputs=launch["atomic"],
    )


class _Plan:
    """The first variant that takes a shape, with every size known."""

    def __init__(self, sizes):
        for index, variant in enumerate(_VARIANTS):
            constants = {name: sizes[name] for name in _PROBLEM_CONSTANTS}
            constants.update(_PARAMETERS)
            constants.update(variant["parameters"])
            names = {**_FACTS, **constants, **sizes}
            if variant["when"](names):
                break
        else:
            raise _Refused("no variant takes it")
        for text, holds in _CONSTRAINTS:
            if not holds(names):
                raise _Refused(f"{text} does not hold")
        for name, value in _DERIVED:
            names[name] = value(names)
        self.variant = index
        self.name = variant["name"]
        self.names = names
        self.constants = tuple(sorted(constants.items()))
        self.launches = []
        for number, launch in enumerate(variant["launches"]):
            threadgroups = launch["threadgroups"](names)
            threads = launch["threads"](names)
            shapes, dtypes = [], []
            for name in launch["outputs"]:
                dtype, shape = _BUFFERS[name]
                shapes.append(shape(names))
                dtypes.append(dtype)
                # MLX passes smaller arrays in another address space, which is
                # another kernel.
                if math.prod(shapes[-1]) < 8:
                    raise _Refused(f"{name} has fewer than 8 elements")
            self.launches.append(
                {
                    # A plan counts threadgroups, MLX's grid counts threads.
                    "grid": tuple(g * t for g, t in zip(threadgroups, threads)),
                    "threadgroup": tuple(threads),
                    "output_shapes": shapes,
                    "output_dtypes": dtypes,
                    "init_value": 0 if launch["zero"] else None,
                    "number": number,
                    "inputs": launch["inputs"],
                    "outputs": launch["outputs"],
                }
            )


@functools.lru_cache(maxsize=64)
def _plan(sizes):
    try:
        return _Plan(dict(sizes))
    except ZeroDivisionError:
        raise _Refused("a size of the plan divides by zero") from None


def attention(query, key, value, scale, causal):
    """softmax(scale query key^T) value by the kernel.

    query (B, Hq, Lq, D), key and value (B, Hkv, Lk, D), all bfloat16, the last
    dimension contiguous; causal: aligned at the bottom right. Raises
    NotImplementedError, with the reason, for what the kernel does not take.
    """
    try:
        return _attention(query, key, value, scale, causal)
    except _Refused as refused:
        raise NotImplementedError(str(refused)) from None


def _attention(query, key, value, scale, causal):
    tensors = {"query": query, "key": key, "value": value}
    for name, tensor in tensors.items():
        if tensor.dtype != mx.bfloat16:
            raise _Refused(f"{name} is {tensor.dtype}, not bfloat16")
    B, Hq, Lq, D = query.shape
    Hkv, Lk = key.shape[1], key.shape[2]
    plan = _plan(
        (
            ("B", B), ("D", D), ("Hkv", Hkv), ("Hq", Hq), ("Lk", Lk), ("Lq", Lq),
            ("causal", int(causal)),
        )
    )
    for launch in plan.launches:
        inputs = []
        for _, kind, name in launch["inputs"]:
            if kind == "tensor":
                inputs.append(tensors[name])
            elif kind == "size":
                inputs.append(_as_array(plan.names[name], mx.int32))
            elif kind == "scalar":
                inputs.append(_as_array(float(scale), mx.float32))
            else:
                shape = launch["output_shapes"][launch["outputs"].index(name)]
                if kind == "shape":
                    inputs.append(_as_array(shape, mx.int32))
                else:
                    strides = tuple(
                        math.prod(shape[i + 1 :]) for i in range(len(shape))
                    )
                    inputs.append(_as_array(strides, mx.int64))
        run = _metal_kernel(plan.variant, launch["number"], plan.constants)
        outputs = run(
            inputs=inputs,
            grid=launch["grid"],
            threadgroup=launch["threadgroup"],
            output_shapes=launch["output_shapes"],
            output_dtypes=launch["output_dtypes"],
            init_value=launch["init_value"],
        )
        tensors.update(zip(launch["outputs"], outputs))
    _counts.dispatches[plan.name] += 1
    return tensors["output"]


def _make_replacement(original):
    """In the place of mlx_lm's scaled_dot_product_attention."""

    def scaled_dot_product_attention(
        queries, keys, values, cache=None, scale=1.0, mask=None, **more
    ):
        def refuse(reason):
            _counts.fall_back(reason)
            return original(
                queries, keys, values, cache=cache, scale=scale, mask=mask, **more
            )

        if hasattr(cache, "bits"):
            return refuse("a quantized cache")
        if any(each is not None for each in more.values()):
            return refuse(f"{', '.join(sorted(more))} given")
        if mask is not None and not isinstance(mask, str):
            return refuse("a mask as an array")
        try:
            return _attention(queries, keys, values, scale, mask == "causal")
        except _Refused as refused:
            B, Hq, Lq, D = queries.shape
            return refuse(
                f"{refused} (B {B}, heads {Hq}:{keys.shape[1]}, D {D},"
                f" {'one query' if Lq == 1 else 'a prompt'})"
            )

    scaled_dot_product_attention.evoke_kernel_hash = KERNEL_HASH
    return scaled_dot_product_attention


def create_metal_qwen3_optimization_hook():
    """Returns (apply_hook, remove_hook) for mlx-lm's Qwen3.

    original = apply_hook() puts the kernel in the place of attention, for
    models made before and after; None when mlx_lm is not there.
    remove_hook(original) undoes it and prints what fell back.
    """

    def apply_hook():
        global _counts
        try:
            import mlx_lm.models.qwen3 as qwen3
        except ImportError:
            print("evoke: mlx_lm.models.qwen3 is not installed", file=sys.stderr)
            return None
        original = qwen3.scaled_dot_product_attention
        if hasattr(original, "evoke_kernel_hash"):
            raise RuntimeError(
                "a kernel is in place already "
                f"({original.evoke_kernel_hash[:8]}); remove it first"
            )
        _counts = _Counts()
        qwen3.scaled_dot_product_attention = _make_replacement(original)
        return original

    def remove_hook(original):
        if original is None:
            return
        import mlx_lm.models.qwen3 as qwen3

        qwen3.scaled_dot_product_attention = original
        for reason, count in _counts.fallbacks.items():
            print(f"evoke: {count} calls fell back: {reason}", file=sys.stderr)

    return apply_hook, remove_hook
