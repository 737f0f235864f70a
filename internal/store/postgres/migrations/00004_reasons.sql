-- Why something was ordered, in the words of who ordered it.
-- +goose Up
ALTER TABLE holdfast_audit ADD COLUMN IF NOT EXISTS reason TEXT;
