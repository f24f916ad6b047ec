-- Which checkpoints were measured?
SELECT model, step, family, parameters, bytes, context, quantization, identity, uri
FROM checkpoints
ORDER BY model, step
