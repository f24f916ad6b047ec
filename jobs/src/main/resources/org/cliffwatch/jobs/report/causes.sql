-- What in checkpoints goes with degradation?
--
-- Spearman's rank correlation over checkpoints of a quantity's mean over layers with the mean change over the tasks,
-- and its 95 % interval, which takes checkpoints for independent. Accuracies: a negative correlation says that
-- what has more of it loses more.
SELECT precision, metric, projection, quantity, checkpoints, rank_correlation, low, high
FROM cause_ranks
WHERE rank_correlation IS NOT NULL
ORDER BY precision, metric, abs(rank_correlation) DESC, projection, quantity
